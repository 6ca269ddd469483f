// TFLite files of inference graphs: https://ai.google.dev/edge/litert/models/quantization_spec
#pragma once

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

struct TfliteOptions {
  bool codes = false;  ///< every quantized tensor as a further output, to compare them
  /// 8, or 4: weights that fit int4 are stored as such, two to a byte, where the kernels of the graph's mode take them:
  /// in modes ort and xnnpack dense layers with an even number of inputs alone, else all (docs/deployment.md, "TFLite",
  /// says why).
  int pack = 8;
};

/// Operators on int8 codes, for LiteRT. Input and output are float32 with the graph's names; images are NHWC; the batch
/// is 1 and can be resized. Activations are int8, shifted so that the lowest code of their grid is -128; weights are
/// int8 less their zero points, biases int32. Logits are the accumulators, computed as integers in float32, times their
/// multipliers. Concatenated codes, and tables, go through Gather; averages are depthwise convolutions by ones. The
/// same graph and options give the same bytes.
///
/// Whose kernels give the graph's codes is the graph's requantization mode: xnnpack those that LiteRT runs by default,
/// tflite_reference its reference kernels, tflm_double TFLite Micro. Layers round alike in ort and xnnpack, so that
/// graphs of mode ort are taken as well, unless they have sums or averages.
///
/// ValueError for other values of pack. NotImplementedError naming the tensor or node that is not expressed: layers
/// that compute on float32 other than softmax, more than 8 bits, weights further than int8 from their zero points,
/// groups of channels between 1 and all, averages of windows that do not all hold as many pixels, multipliers of 256
/// and more.
io::Bytes format_tflite(const InferenceGraph& graph, const TfliteOptions& options = {});

/// A file, written beside and renamed. Errors as format_tflite(), and IoError.
void write_tflite(const io::Path& path, const InferenceGraph& graph, const TfliteOptions& options = {});

}  // namespace bitgrad
