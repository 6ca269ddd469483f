#include <bitgrad/cli/quantizer_list.hpp>

#include <algorithm>
#include <vector>

#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::cli {
namespace {

struct Grid {
  QuantizationMethod method;
  const char* name;
};
constexpr Grid grids[] = {{QuantizationMethod::POWER_OF_TWO, "pot"},
                          {QuantizationMethod::SYMMETRIC, "symmetric"},
                          {QuantizationMethod::UNIFORM, "uniform"}};

/// "pot, symmetric": the grids that some class of that identifier and target has.
std::string grids_of(const std::vector<TrainableEntry>& entries, std::string_view identifier,
                     QuantizationTarget target) {
  std::string text;
  for (const auto& [method, name] : grids)
    if (std::ranges::any_of(entries, [&, wanted = method](const TrainableEntry& entry) {
          return entry.mark.identifier == identifier && entry.mark.target == target && entry.mark.serves(wanted);
        }))
      text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

std::string quantizer_list() {
  const std::vector<TrainableEntry> entries = trainable_quantizers();
  const std::vector<std::string> identifiers = trainable_identifiers();
  std::size_t width = 0;
  for (const std::string& identifier : identifiers) width = std::max(width, identifier.size());
  std::string text;
  for (const std::string& identifier : identifiers) {
    const std::string weights = grids_of(entries, identifier, QuantizationTarget::Weights);
    const std::string activations = grids_of(entries, identifier, QuantizationTarget::Activation);
    text += "  " + padded(identifier, width + 2);
    if (weights == activations)
      text += "weights and activations: " + weights;
    else if (activations.empty())
      text += "weights: " + weights;
    else if (weights.empty())
      text += "activations: " + activations;
    else
      text += "weights: " + weights + "; activations: " + activations;
    text += '\n';
  }
  return text;
}

}  // namespace bitgrad::cli
