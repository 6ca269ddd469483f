// Everything a training run needs to continue to the byte, in one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/layers/model.hpp>

namespace bitgrad {

/// The state of a run after an epoch, or after a step within one. Nothing in it depends on the time, the machine or the
/// number of threads.
struct Checkpoint {
  std::string model;  ///< name of the architecture, as models::make() takes it
  Shape input_shape;  ///< per sample
  Index classes = 0;
  std::string stage;       ///< "float" or "quantized"
  std::int64_t epoch = 0;  ///< epochs of the stage that are done
  std::int64_t step = 0;   ///< optimizer steps of the stage that are done
  std::uint64_t seed = 0;
  std::string options;          ///< JSON object: whatever else decides the numbers
  std::string plan;             ///< QuantizationPlan::to_json(); empty for a float model
  NamedTensors state = {};      ///< Model::state_dict()
  NamedTensors optimizer = {};  ///< Optimizer::state()
  /// What else continues: the sums of an epoch that is under way (Trainer::store()), and what the caller adds.
  NamedTensors progress = {};
  std::string file = {};  ///< where read_checkpoint() found it, for messages; not written
};

/// One safetensors file: tensors "model/...", "optimizer/..." and "progress/...", the rest as metadata under the format
/// name "bitgrad.checkpoint" and a version. Same checkpoint, same bytes.
io::Bytes format_checkpoint(const Checkpoint& checkpoint);
/// IoError that starts with `what`, the file's name, and says what is wrong: no checkpoint, another version, a field
/// that is missing or malformed.
Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& what);

/// format_checkpoint() into a file, written beside and renamed. IoError.
void write_checkpoint(const io::Path& path, const Checkpoint& checkpoint);
/// parse_checkpoint() of a file. IoError with the path.
Checkpoint read_checkpoint(const io::Path& path);

/// The model as it was: models::make(), build, attach_quantizers() if there is a plan, load_state_dict(). ValueError
/// naming the file when they do not go together: the state of another model, a name or quantizer that this program does
/// not know.
Model restore_model(const Checkpoint& checkpoint);

/// Throws ValueError that lists every difference between two JSON objects of options: `batch is 64 there and 128 here`.
/// `what` names the checkpoint.
void require_same_options(std::string_view what, std::string_view there, std::string_view here);

}  // namespace bitgrad
