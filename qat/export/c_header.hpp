// A graph as one C header that needs nothing but <stdint.h>.
#pragma once

#include <string>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

struct CHeaderOptions {
  std::string name = "network";  ///< prefix of everything in the header: a C identifier
  /// float32 [n, input shape]: inputs whose codes and results go into the header for its self-test. Undefined: two
  /// random ones.
  Tensor golden = {};
};

/// C99, also valid C++: NAME_run() takes the codes of the quantized input and gives the codes of the output, or the
/// bits of the float32 logits: those of InferenceGraph::run_integer(), bit for bit. Weights are packed at their width;
/// activations live in one static arena of NAME_ARENA_BYTES; there is no heap, no library and no floating-point type,
/// since the roundings of float32 are carried out on integers. NAME_selftest() compares with the golden results. The
/// same graph and options give the same text. NotImplementedError naming the layer that is left in float32, or the
/// tensor or weights of more than 8 bits; ValueError for a name that is no identifier; ShapeError for golden inputs
/// that the graph does not take, or for none.
std::string format_c_header(const InferenceGraph& graph, const CHeaderOptions& options = {});

/// A file, written beside and renamed. Errors as format_c_header(), and IoError.
void write_c_header(const io::Path& path, const InferenceGraph& graph, const CHeaderOptions& options = {});

}  // namespace bitgrad
