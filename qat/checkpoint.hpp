// Everything a training run needs to continue to the byte, in one file.
#pragma once

#include <cstdint>
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

/// One safetensors file, written beside and renamed: tensors "model/...", "optimizer/..." and
/// "progress/...", the rest as metadata
/// under the format name "bitgrad.checkpoint" and a version. Same checkpoint, same bytes. IoError.
void write_checkpoint(const io::Path& path, const Checkpoint& checkpoint);

/// IoError naming the file and what is wrong: no checkpoint, another version, a field that is missing or malformed.
Checkpoint read_checkpoint(const io::Path& path);

/// The model as it was: models::make(), build, attach_quantizers() if there is a plan, load_state_dict(). ValueError
/// naming the file when they do not go together: the state of another model, a name or quantizer that this program does
/// not know.
Model restore_model(const Checkpoint& checkpoint);

/// Throws ValueError that lists every difference between two JSON objects of options: `batch is 64 there and 128 here`.
/// `what` names the checkpoint.
void require_same_options(std::string_view what, std::string_view there, std::string_view here);

}  // namespace bitgrad
