// TFLite files of inference graphs: https://ai.google.dev/edge/litert/models/quantization_spec
#pragma once

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

struct TfliteOptions {
  bool codes = false;  ///< every quantized tensor as a further output, to compare them
};

/// Operators on int8 codes, for LiteRT. Input and output are float32 with the graph's names; images are NHWC; the batch
/// is 1 and can be resized. Activations are int8, shifted so that the lowest code of their grid is -128; weights are
/// int8 whatever their width, biases int32. Logits are the accumulators, computed as integers in float32, times their
/// multipliers. The same graph and options give the same bytes.
///
/// Whose kernels give the graph's codes is the graph's requantization mode: xnnpack those that LiteRT runs by default,
/// tflite_reference its reference kernels, tflm_double TFLite Micro.
/// Layers round alike in ort and xnnpack, so that graphs of mode ort are taken as well, unless they have sums or global
/// averages. XNNPACK leaves convolutions with int4 weights to kernels that round twice, which is why narrow weights are
/// stored in bytes.
///
/// NotImplementedError naming the tensor or node that is not expressed: more than 8 bits, weights with zero points
/// other than 0, tables, groups of channels between 1 and all, concatenations and average pooling, whose integer rules
/// are different.
io::Bytes format_tflite(const InferenceGraph& graph, const TfliteOptions& options = {});

/// A file, written beside and renamed. Errors as format_tflite(), and IoError.
void write_tflite(const io::Path& path, const InferenceGraph& graph, const TfliteOptions& options = {});

}  // namespace bitgrad
