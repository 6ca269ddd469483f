#include <bitgrad/qat/export/detail/onnx_model.hpp>

#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/protobuf.hpp>

namespace bitgrad::onnx {
namespace {

using protobuf::Message;

enum AttributeType { type_float = 1, type_int = 2, type_string = 3, type_ints = 7 };

Message attribute(const Attribute& attribute) {
  Message message;
  message.text(1, attribute.name);
  if (const float* real = std::get_if<float>(&attribute.value)) {
    message.real(2, *real);
    message.integer(20, type_float);
  } else if (const Index* integer = std::get_if<Index>(&attribute.value)) {
    message.integer(3, *integer);
    message.integer(20, type_int);
  } else if (const std::string* text = std::get_if<std::string>(&attribute.value)) {
    message.text(4, *text);
    message.integer(20, type_string);
  } else {
    for (const Index value : std::get<Dims>(attribute.value)) message.integer(8, value);
    message.integer(20, type_ints);
  }
  return message;
}

Message node(const Node& node) {
  Message message;
  for (const std::string& input : node.inputs) message.text(1, input);
  message.text(2, node.output);
  message.text(3, node.name);
  message.text(4, node.operation);
  for (const Attribute& each : node.attributes) message.message(5, attribute(each));
  return message;
}

Message tensor(const Initializer& initializer) {
  Message message;
  for (const Index extent : initializer.dims) message.integer(1, extent);
  message.integer(2, static_cast<int>(initializer.type));
  message.text(8, initializer.name);
  message.raw(9, initializer.data);
  return message;
}

Message value_info(const Value& value) {
  Message shape;
  if (value.batch) {
    Message dimension;
    dimension.text(2, "N");
    shape.message(1, dimension);
  }
  for (const Index extent : value.dims) {
    Message dimension;
    dimension.integer(1, extent);
    shape.message(1, dimension);
  }
  Message tensor_type, type, info;
  tensor_type.integer(1, static_cast<int>(value.type));
  tensor_type.message(2, shape);
  type.message(1, tensor_type);
  info.text(1, value.name);
  info.message(2, type);
  return info;
}

Message graph(const Model& model) {
  Message message;
  for (const Node& each : model.nodes) message.message(1, node(each));
  message.text(2, model.graph_name);
  for (const Initializer& each : model.initializers) message.message(5, tensor(each));
  for (const Value& each : model.inputs) message.message(11, value_info(each));
  for (const Value& each : model.outputs) message.message(12, value_info(each));
  for (const Value& each : model.values) message.message(13, value_info(each));
  return message;
}

}  // namespace

io::Bytes serialize(const Model& model) {
  Message opset, message;
  opset.text(1, "");
  opset.integer(2, model.opset);
  message.integer(1, model.ir_version);
  message.text(2, "bitgrad");
  message.text(3, BITGRAD_VERSION);
  message.text(6, model.doc);
  message.message(7, graph(model));
  message.message(8, opset);
  for (const auto& [key, value] : model.metadata) {
    Message entry;
    entry.text(1, key);
    entry.text(2, value);
    message.message(14, entry);
  }
  if (message.bytes().size() > std::numeric_limits<std::int32_t>::max())
    fail<NotImplementedError>("onnx: the model has ", message.bytes().size(), " bytes, a file ends at 2 GiB");
  return message.bytes();
}

}  // namespace bitgrad::onnx
