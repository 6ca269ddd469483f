// A TFLite model as plain data, and its bytes. Field numbers, version 3 of the schema:
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
#pragma once

#include <map>
#include <string>
#include <vector>

#include <bitgrad/core/shape.hpp>
#include <bitgrad/qat/export/detail/flatbuffer.hpp>

namespace bitgrad::tflite {

enum class Type : std::int8_t { float32 = 0, int32 = 2, int8 = 9, int4 = 17 };

/// BuiltinOperator.
enum class Operator : std::int32_t {
  add = 0,
  concatenation = 2,
  conv_2d = 3,
  depthwise_conv_2d = 4,
  dequantize = 6,
  fully_connected = 9,
  max_pool_2d = 17,
  mul = 18,
  reshape = 22,
  softmax = 25,
  pad = 34,
  gather = 36,
  mean = 40,
  cast = 53,
  maximum = 55,
  minimum = 57,
  slice = 65,
  resize_nearest_neighbor = 97,
  quantize = 114
};

/// BuiltinOptions: the type of the table that says more about an operator.
enum class Options : std::uint8_t {
  none = 0,
  conv_2d = 1,
  depthwise_conv_2d = 2,
  pool_2d = 5,
  fully_connected = 8,
  softmax = 9,
  concatenation = 10,
  add = 11,
  reshape = 17,
  mul = 21,
  pad = 22,
  gather = 23,
  reducer = 27,
  cast = 37,
  slice = 48,
  resize_nearest_neighbor = 74
};

/// real = (code - zero_point) * scale; one scale, or one for every index of an axis.
struct Quantization {
  std::vector<float> scale;  ///< empty: not quantized
  std::vector<std::int64_t> zero_point;
  int axis = 0;
};

struct Tensor {
  std::string name;
  Type type = Type::float32;
  std::vector<std::int32_t> shape;
  bool batch = true;  ///< the first extent is 1 in the file and free at run time
  Quantization quantization = {};
  io::Bytes data = {};  ///< of a constant, little-endian, row-major; of int4 two to a byte, the first in the low bits
};

struct Node {
  Operator code{};
  std::vector<std::int32_t> inputs;
  std::int32_t output = -1;
  Options options_type = Options::none;
  flatbuffer::Table options = {};
};

struct Model {
  std::string name, description;
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  std::int32_t input = -1;
  std::vector<std::int32_t> outputs;
};

/// NotImplementedError when the file would reach the 2 GiB that its references end at.
io::Bytes serialize(const Model& model);

}  // namespace bitgrad::tflite
