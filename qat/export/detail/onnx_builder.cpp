#include <bitgrad/qat/export/detail/onnx_builder.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad::onnx {
namespace {

std::string unique_in(std::set<std::string>& taken, const std::string& name) {
  std::string result = name;
  for (int i = 2; !taken.insert(result).second; ++i) result = message(name, "_", i);
  return result;
}

}  // namespace

std::string Builder::unique(const std::string& name) { return unique_in(taken_, name); }

Wire Builder::add(const std::string& scope, const std::string& operation, std::vector<std::string> inputs, Type type,
                  Dims dims, std::vector<Attribute> attributes) {
  return define(unique(scope + "/" + operation), scope, operation, std::move(inputs), type, std::move(dims),
                std::move(attributes));
}

Wire Builder::define(const std::string& output, const std::string& scope, const std::string& operation,
                     std::vector<std::string> inputs, Type type, Dims dims, std::vector<Attribute> attributes) {
  add_node(scope, operation, std::move(inputs), output, std::move(attributes));
  model_.values.push_back({output, type, dims, true});
  return {output, type, std::move(dims)};
}

std::string Builder::add_constant(const std::string& output, const std::string& scope, const std::string& operation,
                                  std::vector<std::string> inputs, Type type, Dims dims,
                                  std::vector<Attribute> attributes) {
  const std::string name = unique(output);
  add_node(scope, operation, std::move(inputs), name, std::move(attributes));
  model_.values.push_back({name, type, std::move(dims), false});
  return name;
}

std::string Builder::initializer(const std::string& name, Type type, Dims dims, io::Bytes data) {
  const std::string stored = unique(name);
  model_.initializers.push_back({stored, type, std::move(dims), std::move(data)});
  return stored;
}

void Builder::add_node(const std::string& scope, const std::string& operation, std::vector<std::string> inputs,
                       const std::string& output, std::vector<Attribute> attributes) {
  model_.nodes.push_back(
      {operation, unique_in(node_names_, scope + "/" + operation), std::move(inputs), output, std::move(attributes)});
}

}  // namespace bitgrad::onnx
