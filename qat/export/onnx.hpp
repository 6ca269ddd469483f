// ONNX files of inference graphs: https://github.com/onnx/onnx/blob/main/docs/IR.md
#pragma once

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// How ONNX Runtime is to multiply by the weights. The codes that come out are the same; processors differ in which is
/// exact and which is fast.
enum class OnnxWeights {
  uint8,  ///< exact on every processor: int8, but weights that could saturate there without VNNI are uint8
  int8    ///< all weights: twice as fast on x86 with VNNI, wrong codes on x86 without it
};

struct OnnxOptions {
  int opset = 13;  ///< 13, 21 or 25
  /// Smallest unit in which weights are stored: 8 bits; 4, which needs opset 21; 2, which needs opset 25.
  int pack = 8;
  bool codes =
      false;  ///< also hand out "<tensor>/codes" of every quantized tensor: uint8, the lowest code of the grid is 0
  OnnxWeights weights = OnnxWeights::uint8;
};

/// The lowest opset with a type for weights of so many bits: 13 for 8, 21 for 4, 25 for 2. ValueError for other
/// numbers.
int lowest_opset(int pack);

/// The model as QuantizeLinear/DequantizeLinear pairs around float operations, which runtimes fuse to integer kernels.
/// Input and output are float32 with the graph's names; images are NCHW; the batch is the symbolic dimension N.
/// Activations are uint8, shifted so that the lowest code of their grid is 0. Weights are int8 or uint8 (OnnxWeights),
/// biases int32. A convolution with float32 outputs becomes ConvInteger, whose weights are uint8 in any case.
/// The same graph and options give the same bytes. NotImplementedError naming the tensor or node that the format or its
/// runtimes cannot express exactly; ValueError for options that do not go together.
io::Bytes format_onnx(const InferenceGraph& graph, const OnnxOptions& options = {});

/// A file, written beside and renamed. Errors as format_onnx(), and IoError.
void write_onnx(const io::Path& path, const InferenceGraph& graph, const OnnxOptions& options = {});

}  // namespace bitgrad
