// A graph's numbers as named arrays: docs/formats.md.
#pragma once

#include <map>
#include <string>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

struct GraphArrays {
  NamedTensors tensors;                         ///< "conv1.kernel.codes", "relu1/out.scale", ...
  std::map<std::string, std::string> metadata;  ///< format, version, the graph's own, and a JSON object per kernel
};

/// Everything that a program of one's own needs to compute the graph: kernels as floats, as codes and packed, their
/// grids, int32 biases, multipliers, tables, and the grids of activations. Layouts are the graph's: kernels [kh, kw,
/// in / groups, out] and [in, out]. ValueError for names that collide.
GraphArrays export_arrays(const InferenceGraph& graph);

/// The bytes of a file. An npz has the metadata as JSON text in the uint8 array "__metadata__".
io::Bytes format_npz(const GraphArrays& arrays);
io::Bytes format_safetensors(const GraphArrays& arrays);
/// Files, written beside and renamed; IoError.
void write_npz(const io::Path& path, const GraphArrays& arrays);
void write_safetensors(const io::Path& path, const GraphArrays& arrays);

}  // namespace bitgrad
