// What layers said to InferenceGraphBuilder, before it is frozen.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

struct RecordedInput {};

/// A convolution (with window steps) or a dense layer.
struct RecordedLinear {
  std::optional<Conv2DArguments> convolution;
  Tensor kernel;             ///< float32
  Tensor bias;               ///< or undefined
  std::optional<Grid> grid;  ///< of the kernel, when it is quantized
  Tensor codes;              ///< int32, on the grid: what the kernel's quantizer made of it
};

struct RecordedBatchNorm {
  Tensor gamma, beta, mean, variance;
  float epsilon = 0;
};

struct RecordedQuantize {
  Grid grid;
};

using RecordedOperation =
    std::variant<RecordedInput, RecordedLinear, RecordedBatchNorm, RecordedQuantize, FloatNormalize, FloatAveragePool2D,
                 FloatGlobalAveragePool2D, FloatClamp, FloatElementwise, FloatSoftmax, FloatAdd, FloatConcat,
                 FloatLayerNorm, FloatUpsample2D, FloatWhere, MaxPool2DOp, ReshapeOp, Pad2DOp, Upsample2DOp,
                 InsertZeros2DOp>;

/// Value number i of the builder is element i of its list.
struct RecordedValue {
  RecordedOperation operation;
  std::vector<int> inputs;  ///< value numbers, smaller than the own one
  Shape shape;              ///< per sample
  std::string layer;        ///< name of the layer it comes from

  template <class Op>
  const Op* as() const {
    return std::get_if<Op>(&operation);
  }
};

/// The finished graph of the values that `output` depends on. Errors as InferenceGraphBuilder::finish().
InferenceGraph freeze(const std::vector<RecordedValue>& values, int output);

}  // namespace bitgrad::inference
