// An ONNX model as plain data, and its bytes. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::onnx {

/// TensorProto.DataType.
enum class Type : int { float32 = 1, uint8 = 2, int8 = 3, int32 = 6, int64 = 7, boolean = 9, uint4 = 21, uint2 = 25 };

using Dims = std::vector<Index>;

struct Initializer {
  std::string name;
  Type type = Type::float32;
  Dims dims;
  io::Bytes data;  ///< little-endian, row-major; elements below a byte fill it from its low bits
};

struct Attribute {
  std::string name;
  std::variant<float, Index, Dims, std::string> value;
};

struct Node {
  std::string operation;
  std::string name;
  std::vector<std::string> inputs;  ///< "" for an optional input that is left out
  std::string output;
  std::vector<Attribute> attributes;
};

struct Value {
  std::string name;
  Type type = Type::float32;
  Dims dims;  ///< behind the batch dimension N, where there is one
  bool batch = true;
};

struct Model {
  int ir_version = 0;
  int opset = 0;
  std::string graph_name;
  std::string doc;
  std::map<std::string, std::string> metadata;
  std::vector<Value> inputs, outputs, values;
  std::vector<Initializer> initializers;
  std::vector<Node> nodes;
};

/// A serialized ModelProto. NotImplementedError when it would reach the 2 GiB that protocol buffers end at.
io::Bytes serialize(const Model& model);

}  // namespace bitgrad::onnx
