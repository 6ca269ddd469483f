// Proof that what was trained is what ships.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// The naive executor: every tensor of the graph for a batch, written from the rules of graph.hpp with plain loops and
/// int64 accumulators, sharing no kernel with the engine. Operations left in float32 (FloatConv2D, FloatDense and other
/// Float* ones) are outside the promise and call the engine's kernels; verify names them. Tensors as
/// InferenceSession::run_all() gives them, and errors as there; a mode without arithmetic for the graph is not looked
/// for.
std::vector<Tensor> run_naive(const InferenceGraph& graph, const Tensor& x);

/// The first place where two executions differ.
struct CodeDifference {
  /// What `expected` and `found` are: codes, or the bits of float32 results of an integer layer.
  enum class Kind { code, float_bits };

  std::string tensor;
  Shape shape;  ///< per sample
  Kind kind = Kind::code;
  Index sample = 0;
  Index element = 0;          ///< flat index inside the sample
  std::int32_t expected = 0;  ///< naive executor
  std::int32_t found = 0;
  std::string executor;  ///< "evaluate", or of the reloaded graph "integer engine", "float engine"
  std::string cause;     ///< the likely one: a sentence

  /// "tensor "relu1/out", sample 3, y 4, x 0, channel 2: evaluate gives 7, the naive executor 8"; floats with as many
  /// digits as tell them from all others.
  std::string describe() const;
};

/// The worst accumulator of an integer layer over its real weights.
struct LayerCertificate {
  std::string layer;
  std::int64_t worst_accumulator = 0;  ///< largest |sum + bias| over all channels and all inputs on the grid
  Index channel = 0;                   ///< where it is
  bool int32_safe = false;             ///< no sum leaves int32, in any order of addition, with or without bias
  bool float32_exact = false;          ///< every partial sum below 2^24, in any order
  std::vector<std::int32_t>
      attaining_input;  ///< codes of one window (conv: [kh, kw, in / groups], dense: [in]) that attain it
};

/// One layer fed the engine's codes through the model's own training arithmetic.
struct LayerAgreement {
  std::string tensor;
  Index codes = 0;
  Index differing = 0;  ///< codes that are not the engine's
  std::int32_t largest_step = 0;
  /// Whether the roundings of float sums explain it: no code is off by more than one, and fewer than 2 % are.
  bool is_rounding() const { return largest_step <= 1 && differing * 50 <= codes; }
};

struct VerifyReport {
  Index samples = 0;
  Index codes_compared = 0;  ///< by all executors together: evaluate, both engines, and the integer engine on codes
  Index differing_codes = 0;
  std::optional<CodeDifference> first_difference;
  std::vector<LayerAgreement> training_forward;
  std::vector<LayerCertificate> certificates;
  std::vector<std::string> float_layers;  ///< left in float32, outside the promise
  std::string integer_engine_skipped;     ///< why it could not run on codes alone; empty: it did
  bool passed() const { return differing_codes == 0; }
  /// The table a person reads.
  std::string describe() const;
};

struct VerifyOptions {
  Index batch = 250;
  bool training_forward = true;  ///< also feed every layer of the model (costs one more pass)
};

/// Runs the model's evaluation, the graph saved into a scratch directory and reloaded (both engines) and the naive
/// executor over all images (float32 [n, input shape]) and compares the codes at every quantized tensor, and the
/// float32 results of integer layers. ValueError when the model does not lower to tensors of the same names and shapes,
/// and for a batch below 1; ShapeError for other images; IoError where the scratch directory cannot be made or written;
/// else as convert2inferable(), set_requantization() and InferenceSession::run_all() throw. Differences are no error:
/// the report has them.
VerifyReport verify(Model& model, const InferenceGraph& graph, const Tensor& images, const VerifyOptions& options = {});
/// Without the model: the reloaded graph's engines against the naive executor. Throws likewise.
VerifyReport verify(const InferenceGraph& graph, const Tensor& images, const VerifyOptions& options = {});

/// The certificate of one layer of the graph. ValueError for a node without integer weights.
LayerCertificate certify(const InferenceGraph& graph, const GraphNode& node);

}  // namespace bitgrad
