#include <bitgrad/core/named_tensors.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

NamedTensors::NamedTensors(std::initializer_list<Entry> entries) {
  for (const auto& [name, tensor] : entries) add(name, tensor);
}

void NamedTensors::add(std::string name, Tensor tensor) {
  if (name.empty()) fail<ValueError>("NamedTensors::add: the name is empty");
  if (!tensor.defined()) fail<ValueError>("NamedTensors::add: \"", name, "\" is undefined");
  if (!index_.emplace(name, entries_.size()).second)
    fail<ValueError>("NamedTensors::add: \"", name, "\" is already there");
  entries_.emplace_back(std::move(name), std::move(tensor));
}

Tensor* NamedTensors::find(std::string_view name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

const Tensor* NamedTensors::find(std::string_view name) const { return const_cast<NamedTensors*>(this)->find(name); }

Tensor& NamedTensors::at(std::string_view name) {
  if (Tensor* tensor = find(name)) return *tensor;
  constexpr std::size_t shown = 20;
  std::string listed;
  for (std::size_t i = 0; i < std::min(shown, size()); ++i)
    listed += (i > 0 ? ", \"" : "\"") + entries_[i].first + "\"";
  if (size() > shown) listed += " and " + std::to_string(size() - shown) + " more";
  fail<ValueError>("no tensor named \"", name, "\"; there are ", empty() ? "none" : listed);
}

const Tensor& NamedTensors::at(std::string_view name) const { return const_cast<NamedTensors*>(this)->at(name); }

std::vector<std::string> NamedTensors::names() const {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : entries_) result.push_back(name);
  return result;
}

bool identical(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
    return left.first == right.first && identical(left.second, right.second);
  });
}

}  // namespace bitgrad
