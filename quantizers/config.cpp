#include <bitgrad/quantizers/config.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

const Tensor& BaseQuantizerConfig::param(const std::string& key) const {
  const auto found = quantization_params.find(key);
  if (found != quantization_params.end()) return found->second;
  std::string known;
  for (const auto& [name, value] : quantization_params) known += (known.empty() ? "" : ", ") + name;
  fail<ValueError>("quantization_params has no \"", key, "\", it has ", known.empty() ? "nothing" : known);
}

}  // namespace bitgrad
