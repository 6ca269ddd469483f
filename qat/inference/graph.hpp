// The inference graph: plain data in execution order. It cannot train. The arithmetic of every operation is here;
// fl32(x) is x rounded to float32, half_even(x) the nearest whole number, of two equally near ones the even one.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/tensor.hpp>
#include <bitgrad/layers/graph_builder.hpp>
#include <bitgrad/quantizers/grid.hpp>

namespace bitgrad {

/// A tensor of the graph. With a grid (per tensor) it holds codes on that grid, without one float32 values.
struct GraphTensor {
  std::string name;  ///< unique: "input", "relu1/out", "dense1"
  Shape shape;       ///< per sample
  std::optional<Grid> grid;
};

/// Integer weights of a convolution or dense layer and what follows the accumulation.
///
/// The frozen layer's rule (architecture.md, "The frozen layer"), per output channel c:
///   acc = sum (q_x - z_x) * (q_w - z_w[c]) + bias[c]        exact, in int32, over the inputs of c's group
///   output with a grid:     clamp(half_even(float(acc) * multiplier[c]) + z_y, clamp_lo, clamp_hi)
///   output without a grid:  float(acc) * multiplier[c]
/// with multiplier = fl32(fl32(s_x * s_w[c]) / s_y), or fl32(s_x * s_w[c]) without a grid.
struct IntegerWeights {
  Tensor codes;                   ///< int32; conv2d: [kh, kw, in / groups, out], dense: [in, out]
  Grid grid;                      ///< of the codes; after the fold of batch normalisation, one scale per output channel
  Tensor bias;                    ///< int32 [out]
  std::vector<float> multiplier;  ///< [out]
  std::int32_t clamp_lo = 0;      ///< the output grid's lo and hi, narrowed by a fused activation
  std::int32_t clamp_hi = 0;
};

// Operations on codes: every input has a grid.
struct IntegerConv2D {
  Conv2DArguments window;  ///< padding has the code of real zero
  IntegerWeights weights;
};
struct IntegerDense {
  IntegerWeights weights;
};
/// Two operands of one shape, read and written offset to lo: u = q - lo, z' = z - lo, as an unsigned 8-bit runtime sees
/// them.
///   u_y = half_even(fma(u_a, r_a, fma(u_b, r_b, z'_y - fma(r_a, z'_a, r_b * z'_b)))),  r = fl32(s / s_y), all float32
struct IntegerAdd {
  std::int32_t clamp_lo = 0;
  std::int32_t clamp_hi = 0;
};
/// clamp(half_even(fl32((q - z) * s) / s_y) + z_y) of every input, joined along an axis of the per-sample shape.
struct IntegerConcat {
  int axis = -1;
  std::int32_t clamp_lo = 0;
  std::int32_t clamp_hi = 0;
};
/// Sum of the dequantized values of the window in row-major order, / count, / s_y, + (z_y - lo_y), all float32; then
/// half_even and + lo_y: the zero point is added before rounding, offset as in IntegerAdd. Padding does not count.
struct IntegerAveragePool2D {
  PoolWindow window;
  Stride stride;
  Padding padding;
  std::int32_t clamp_lo = 0;
  std::int32_t clamp_hi = 0;
};
/// clamp(half_even(float(sum(q - z)) * fl32(s / fl32(s_y * n))) + z_y)
struct IntegerGlobalAveragePool2D {
  std::int32_t clamp_lo = 0;
  std::int32_t clamp_hi = 0;
};
/// q_y = codes[q - lo], or codes[channel, q - lo]: any function of single elements between two grids.
struct IntegerTable {
  Tensor codes;          ///< int32 [hi - lo + 1] of the input's grid, or [channels, hi - lo + 1] (last axis)
  std::string function;  ///< for people: "sigmoid"
};

// Between the worlds.
struct QuantizeOp {};    ///< float32 to codes: clamp(half_even(x / s) + z)
struct DequantizeOp {};  ///< codes to float32: (q - z) * s

// Operations that move data: codes in, codes of the same grid out, or float32 in and out.
struct MaxPool2DOp {
  PoolWindow window;
  Stride stride;
  Padding padding;
};
struct ReshapeOp {};  ///< to the output's shape
struct Pad2DOp {
  Padding padding;  ///< with the code of real zero, or 0.0
};
struct Upsample2DOp {
  UpsampleFactor factor;  ///< every pixel so often
};

struct InsertZeros2DOp {
  Stride stride;  ///< of the pixels in the output: the code of real zero, or 0.0, stride - 1 times between neighbours
};

/// The code of the first input where the mask is 1, of the second where it is 0; both are on the output's grid.
struct WhereOp {
  Tensor mask;  ///< float32, of the shape of a sample
};

// Operations on float32.
struct FloatConv2D {
  Conv2DArguments window;
  Tensor kernel;  ///< [kh, kw, in / groups, out]
  Tensor bias;    ///< [out] or undefined
};
struct FloatDense {
  Tensor kernel;  ///< [in, out]
  Tensor bias;
};
/// fl32(x * gain[c]) + offset[c]
struct FloatBatchNorm {
  Tensor gain;
  Tensor offset;
};
/// (x - mean[c]) / deviation[c]
struct FloatNormalize {
  Tensor mean;
  Tensor deviation;
};
/// fl32((x - mean) * factor) * gamma[c] + beta[c], factor = 1 / sqrt(variance + epsilon), mean and variance over the
/// last axis, summed in double.
struct FloatLayerNorm {
  Tensor gamma;  ///< [channels]
  Tensor beta;
  float epsilon = 0;
};
struct FloatAveragePool2D {
  PoolWindow window;
  Stride stride;
  Padding padding;
};
struct FloatGlobalAveragePool2D {};
/// Bilinear, kernels::upsample2d_bilinear().
struct FloatUpsample2D {
  UpsampleFactor factor;
};
struct FloatClamp {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
struct FloatElementwise {
  ElementwiseFunction function{};
  float slope = 0;     ///< of leaky_relu
  float exponent = 1;  ///< of pow
};
struct FloatSoftmax {
  bool logarithm = false;
};
struct FloatAdd {};
/// WhereOp between float32 values.
struct FloatWhere {
  Tensor mask;
};
struct FloatConcat {
  int axis = -1;
};

using GraphOperation =
    std::variant<IntegerConv2D, IntegerDense, IntegerAdd, IntegerConcat, IntegerAveragePool2D,
                 IntegerGlobalAveragePool2D, IntegerTable, QuantizeOp, DequantizeOp, MaxPool2DOp, ReshapeOp, Pad2DOp,
                 FloatConv2D, FloatDense, FloatBatchNorm, FloatNormalize, FloatAveragePool2D, FloatGlobalAveragePool2D,
                 FloatClamp, FloatElementwise, FloatSoftmax, FloatAdd, FloatConcat, FloatLayerNorm, Upsample2DOp,
                 FloatUpsample2D, InsertZeros2DOp, WhereOp, FloatWhere>;

/// "integer_conv2d", "quantize", ...: the names in graph.json.
std::string_view name_of(const GraphOperation& operation);

struct GraphNode {
  std::string name;  ///< of the layer it comes from: "block1/conv1"
  GraphOperation operation;
  std::vector<int> inputs;  ///< tensor numbers
  int output = -1;
};

/// Whose arithmetic an integer operation rounds by. The rules above are `ort`; what the others change stands in
/// requantization.hpp.
enum class RequantizationMode {
  ort,              ///< ONNX Runtime's fused kernels; what training computes
  xnnpack,          ///< LiteRT's default kernels: layers as ort, sums and averages in their own way
  tflm_double,      ///< TFLite's definition and TFLite Micro: multipliers of 31 bits, two roundings
  single,           ///< TFLite built for one rounding: multipliers of 31 bits, 64-bit products, halves up
  tflite_reference  ///< LiteRT's reference kernels: dense layers as single, everything else as tflm_double
};

/// What training hands over. run() and the others pack the weights anew in every call: for more than one, hold an
/// InferenceSession (session.hpp), which says what they do.
class InferenceGraph {
 public:
  std::vector<GraphTensor> tensors;
  std::vector<GraphNode> nodes;  ///< every node reads tensors of earlier nodes or the input
  int input = -1;
  int output = -1;
  RequantizationMode mode = RequantizationMode::ort;
  std::map<std::string, std::string> metadata;  ///< free text: model, data, seed

  /// InferenceSession(*this).run(x), and so on: they give what those give, and throw what those and the making of a
  /// session throw.
  Tensor run(const Tensor& x) const;
  std::vector<Tensor> run_all(const Tensor& x) const;
  Tensor run_integer(const Tensor& input_codes) const;
  std::vector<Tensor> run_integer_all(const Tensor& input_codes) const;
  /// Number of the tensor whose codes run_integer() takes: the quantized input. NotImplementedError when the graph
  /// quantizes nothing.
  int integer_input() const;

  /// Whether any tensor holds codes. Quantized weights alone give none: their layers compute on floats.
  bool has_codes() const;

  /// Checks all references, shapes, grids and array sizes, and that the output depends on every node; ValueError or
  /// ShapeError naming node and field. load() calls it.
  void validate() const;

  /// DIR/graph.json (structure, versioned) and DIR/graph.npz (arrays), written beside and renamed. IoError; ValueError
  /// or ShapeError for a graph that validate() refuses, ValueError for a bound that is NaN and for texts that are no
  /// UTF-8.
  void save(const std::string& directory) const;
  /// What save() wrote. IoError naming the file and what is wrong with it.
  static InferenceGraph load(const std::string& directory);

  /// Bytes of the weights: packed codes at their bit width plus int32 biases and float32 scales, or float32 where a
  /// layer was left in float.
  std::size_t weight_bytes() const;
  /// One line per node: name, operation, shapes, grids.
  std::string describe() const;
};

}  // namespace bitgrad
