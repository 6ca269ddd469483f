// Nodes, values and initializers of an ONNX graph under names that are unique, with shapes.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/qat/export/detail/onnx_model.hpp>
#include <bitgrad/qat/export/detail/onnx_weights.hpp>

namespace bitgrad::onnx {

/// A value of the graph under construction. dims are per sample.
struct Wire {
  std::string name;
  Type type = Type::float32;
  Dims dims = {};
};

class Builder {
 public:
  explicit Builder(Model& model) : model_(model) {}

  /// Keeps a name for later use by define(); no other value gets it.
  void reserve(const std::string& name) { taken_.insert(name); }
  /// `name`, or `name` with a number where it is taken.
  std::string unique(const std::string& name);

  /// A node of the operation, named after the scope; its output is a fresh value `scope/operation`.
  Wire add(const std::string& scope, const std::string& operation, std::vector<std::string> inputs, Type type,
           Dims dims, std::vector<Attribute> attributes = {});
  /// The same with the output's name, which was reserved.
  Wire define(const std::string& output, const std::string& scope, const std::string& operation,
              std::vector<std::string> inputs, Type type, Dims dims, std::vector<Attribute> attributes = {});
  /// The same for values without a batch dimension: those computed from initializers alone.
  std::string add_constant(const std::string& output, const std::string& scope, const std::string& operation,
                           std::vector<std::string> inputs, Type type, Dims dims,
                           std::vector<Attribute> attributes = {});

  /// Returns the name under which the data is stored.
  std::string initializer(const std::string& name, Type type, Dims dims, io::Bytes data);
  std::string floats(const std::string& name, const std::vector<float>& values, Dims dims) {
    return initializer(name, Type::float32, std::move(dims), raw<float>(values));
  }
  std::string integers(const std::string& name, const std::vector<Index>& values) {
    return initializer(name, Type::int64, {static_cast<Index>(values.size())}, raw<std::int64_t>(values));
  }
  std::string scalar(const std::string& name, std::int32_t code, Type type) {
    return initializer(name, type, {}, raw_codes({code}, type));
  }

 private:
  void add_node(const std::string& scope, const std::string& operation, std::vector<std::string> inputs,
                const std::string& output, std::vector<Attribute> attributes);

  Model& model_;
  std::set<std::string> taken_, node_names_;
};

}  // namespace bitgrad::onnx
