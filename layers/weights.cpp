#include <bitgrad/layers/weights.hpp>

#include <algorithm>

namespace bitgrad {

void Weights::set(std::string_view name, Variable value) {
  const auto found = std::ranges::find(items_, name, &std::pair<std::string, Variable>::first);
  if (found == items_.end())
    items_.emplace_back(name, std::move(value));
  else
    found->second = std::move(value);
}

bool Weights::contains(std::string_view name) const {
  return std::ranges::find(items_, name, &std::pair<std::string, Variable>::first) != items_.end();
}

const Variable& Weights::operator[](std::string_view name) const {
  const auto found = std::ranges::find(items_, name, &std::pair<std::string, Variable>::first);
  if (found != items_.end()) return found->second;
  std::string known;
  for (const auto& [existing, value] : items_) known += (known.empty() ? "" : ", ") + existing;
  fail<StateError>("weight \"", name, "\" is missing; there is ", known.empty() ? "none (is the layer built?)" : known);
}

}  // namespace bitgrad
