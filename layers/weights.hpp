// The values a layer computes with, by name.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/autograd/variable.hpp>

namespace bitgrad {

/// A small ordered map from weight name ("kernel", "bias") to value. Whoever calls Layer::apply decides what they are:
/// the layer's own parameters, or anything derived from them.
class Weights {
 public:
  /// Adds a value or replaces the one of that name.
  void set(std::string_view name, Variable value);
  bool contains(std::string_view name) const;
  /// Throws StateError naming the weight and the ones that exist.
  const Variable& operator[](std::string_view name) const;
  const std::vector<std::pair<std::string, Variable>>& items() const& { return items_; }
  /// By value, so that `for (auto& [name, value] : layer.weight_values().items())` does not read a dead temporary.
  std::vector<std::pair<std::string, Variable>> items() && { return std::move(items_); }

 private:
  std::vector<std::pair<std::string, Variable>> items_;
};

}  // namespace bitgrad
