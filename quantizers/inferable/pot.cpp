#include <bitgrad/quantizers/inferable/pot.hpp>

namespace bitgrad {
WeightsPOTInferableQuantizer::WeightsPOTInferableQuantizer(Options options)
    : WeightsSymmetricInferableQuantizer(std::move(options), name) {
  detail::require_powers_of_two(this->options().threshold, name);
}

InferablePtr WeightsPOTInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<WeightsPOTInferableQuantizer>(read_options(json, name));
}

ActivationPOTInferableQuantizer::ActivationPOTInferableQuantizer(Options options)
    : ActivationSymmetricInferableQuantizer(std::move(options), name) {
  detail::require_powers_of_two(this->options().threshold, name);
}

InferablePtr ActivationPOTInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<ActivationPOTInferableQuantizer>(read_options(json, name));
}

}  // namespace bitgrad
