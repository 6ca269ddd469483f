#include <bitgrad/quantizers/inferable/pot.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad {
namespace {

void require_powers_of_two(const std::vector<double>& threshold, std::string_view type) {
  for (std::size_t c = 0; c < threshold.size(); ++c)
    if (!is_power_of_two(threshold[c]))
      fail<ValueError>(type, ": threshold ", c, " is ", threshold[c], ", expected a power of two");
}

}  // namespace

WeightsPOTInferableQuantizer::WeightsPOTInferableQuantizer(Options options)
    : WeightsSymmetricInferableQuantizer(std::move(options), name) {
  require_powers_of_two(this->options().threshold, name);
}

InferablePtr WeightsPOTInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<WeightsPOTInferableQuantizer>(read_options(json, name));
}

ActivationPOTInferableQuantizer::ActivationPOTInferableQuantizer(Options options)
    : ActivationSymmetricInferableQuantizer(std::move(options), name) {
  require_powers_of_two(this->options().threshold, name);
}

InferablePtr ActivationPOTInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<ActivationPOTInferableQuantizer>(read_options(json, name));
}

}  // namespace bitgrad
