// Runs an inference graph again and again.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// What computes the layers of a graph. Results are the same to the bit.
enum class InferenceEngine {
  integer,  ///< integers throughout, carried as int16 wherever their ranges allow: the fast one
  float32   ///< codes carried in float32, through matrix products of BLAS that are exact by their bounds
};

/// "integer" or "float".
std::string_view name_of(InferenceEngine engine);

/// A graph made ready: weights packed, memory laid out, once. What changes in the graph afterwards is not seen. run()
/// and the others are const, safe to call from several threads at once, give every sample the same bytes whatever the
/// batch, and take their memory from the buffer pool, so that calls after the first allocate nothing fresh. One call at
/// a time uses the thread pool (core/parallel.hpp), others beside it work alone. Copies share the packed weights.
class InferenceSession {
 public:
  /// Keeps the graph's description and shares its arrays. The kernels are those of the instruction set in use now. The
  /// graph is taken as InferenceGraph::validate() wants it, which is not called again. NotImplementedError where its
  /// mode has no arithmetic for it, as set_requantization().
  explicit InferenceSession(const InferenceGraph& graph, InferenceEngine engine = InferenceEngine::integer);

  /// float32 [batch, input shape] to float32 [batch, output shape]; codes at the output become the values that they
  /// stand for. ShapeError for an input of another shape or dtype; ValueError for a NaN where float32 becomes codes,
  /// naming tensor, sample and element.
  Tensor run(const Tensor& x) const;
  /// Every tensor of the graph for a batch, by tensor number: codes as int32, the rest float32. Throws as run().
  std::vector<Tensor> run_all(const Tensor& x) const;
  /// Integer codes (int32) of the first quantized tensor in, and out: codes as int32 when the output has a grid,
  /// otherwise the last float32 values. NotImplementedError naming the first layer that is left in float before the
  /// output, or where the graph quantizes nothing; ShapeError for codes of another shape or dtype; ValueError for a
  /// code outside of the tensor's grid, naming it and its sample.
  Tensor run_integer(const Tensor& input_codes) const;
  /// The same, keeping every tensor; those that do not follow from these codes are undefined. Throws likewise.
  std::vector<Tensor> run_integer_all(const Tensor& input_codes) const;

  /// The graph as it was when the session was made.
  const InferenceGraph& graph() const;

 private:
  struct Prepared;
  std::shared_ptr<const Prepared> prepared_;
};

}  // namespace bitgrad
