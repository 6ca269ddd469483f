#include <bitgrad/layers/models/models.hpp>

#include <map>

#include <bitgrad/core/suggest.hpp>

namespace bitgrad::models {
namespace {

const std::map<std::string, Model (*)(const Shape&, Index), std::less<>>& table() {
  static const std::map<std::string, Model (*)(const Shape&, Index), std::less<>> models{
      {"fashion_cnn", fashion_cnn}, {"lenet5", lenet5}, {"mlp", mlp}, {"resnet8", resnet8}};
  return models;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, function] : table()) result.push_back(name);
  return result;
}

Model make(std::string_view name, const Shape& input_shape, Index classes) {
  const auto found = table().find(name);
  if (found == table().end()) fail<ValueError>(unknown_name("model", name, names()));
  if (classes < 2) fail<ValueError>("model ", name, ": ", classes, " classes, expected at least 2");
  return found->second(input_shape, classes);
}

}  // namespace bitgrad::models
