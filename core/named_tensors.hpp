// An ordered list of tensors with names: what npz and safetensors files and state dicts hold.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// Pairs of unique name and defined tensor, in the order in which they were added.
class NamedTensors {
 public:
  using Entry = std::pair<std::string, Tensor>;

  NamedTensors() = default;
  /// Adds them in order; throws as add().
  NamedTensors(std::initializer_list<Entry> entries);

  /// Appends. Throws ValueError when the name is empty or already there, or the tensor is undefined.
  void add(std::string name, Tensor tensor);

  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// The tensor, or nullptr when there is none of that name. Valid until the next add().
  Tensor* find(std::string_view name);
  const Tensor* find(std::string_view name) const;
  /// The tensor; throws ValueError listing the names that are there when it is missing.
  Tensor& at(std::string_view name);
  const Tensor& at(std::string_view name) const;

  std::vector<std::string> names() const;
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// The same names in the same order with identical() tensors.
bool identical(const NamedTensors& a, const NamedTensors& b);

}  // namespace bitgrad
