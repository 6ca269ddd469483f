#include <bitgrad/layers/models/models.hpp>

#include <map>

#include <bitgrad/core/suggest.hpp>

namespace bitgrad::models {
namespace {

struct Entry {
  Model (*make)(const Shape&, Index classes, Index width);
  Shape input_shape;
};

const std::map<std::string, Entry, std::less<>>& table() {
  static const std::map<std::string, Entry, std::less<>> models{{"ds_cnn", {ds_cnn, {49, 10, 1}}},
                                                                {"fashion_cnn", {fashion_cnn, {28, 28, 1}}},
                                                                {"lenet5", {lenet5, {28, 28, 1}}},
                                                                {"mlp", {mlp, {28, 28, 1}}},
                                                                {"mobilenet_v1", {mobilenet_v1, {96, 96, 3}}},
                                                                {"resnet20", {resnet20, {32, 32, 3}}},
                                                                {"resnet8", {resnet8, {32, 32, 3}}}};
  return models;
}

const Entry& entry(std::string_view name) {
  const auto found = table().find(name);
  if (found == table().end()) fail<ValueError>(unknown_name("model", name, names()));
  return found->second;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, model] : table()) result.push_back(name);
  return result;
}

Shape usual_input_shape(std::string_view name) { return entry(name).input_shape; }

Model make(std::string_view name, const Shape& input_shape, Index classes, Index width) {
  const Entry& model = entry(name);
  if (classes < 2) fail<ValueError>("model ", name, ": ", classes, " classes, expected at least 2");
  if (width < 1) fail<ValueError>("model ", name, ": width is ", width, ", expected at least 1");
  return model.make(input_shape, classes, width);
}

}  // namespace bitgrad::models
