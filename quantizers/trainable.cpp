#include <bitgrad/quantizers/trainable.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

BaseTrainableQuantizer::BaseTrainableQuantizer(const BaseTrainableQuantizer& other)
    : variables_(other.variables_), freeze_quant_params_(other.freeze_quant_params_) {
  for (QuantizerVariable& variable : variables_) variable.parameter = variable.parameter->clone();
}

void BaseTrainableQuantizer::add_quantizer_variable(std::string_view key, ParameterPtr parameter) {
  if (!parameter) fail<ValueError>("quantizer \"", identifier(), "\": variable \"", key, "\" is null");
  const auto found = std::find_if(variables_.begin(), variables_.end(), [&](const auto& v) { return v.key == key; });
  if (found != variables_.end())
    found->parameter = std::move(parameter);
  else
    variables_.push_back({std::string(key), std::move(parameter)});
}

void BaseTrainableQuantizer::add_learned_variable(std::string_view key, std::string_view name, const Tensor& start) {
  // A copy: to() gives the tensor itself where it is float32 already.
  add_quantizer_variable(key, std::make_shared<Parameter>(message(name, "_", key), start.to(DType::float32).clone(),
                                                          ParameterGroup::qparams, !freeze_quant_params_));
}

const ParameterPtr& BaseTrainableQuantizer::get_quantizer_variable(std::string_view key) const {
  for (const QuantizerVariable& variable : variables_)
    if (variable.key == key) return variable.parameter;
  if (variables_.empty())
    fail<StateError>("quantizer ", describe(marks()), ": asked for variable \"", key,
                     "\" before initialize_quantization()");
  fail<StateError>("quantizer ", describe(marks()), ": has no variable \"", key, "\", expected \"",
                   variables_.front().key, "\" or another that it created");
}

std::vector<ParameterPtr> BaseTrainableQuantizer::get_trainable_variables(ParameterGroup group) const {
  std::vector<ParameterPtr> found;
  for (const QuantizerVariable& variable : variables_)
    if (variable.parameter->trainable() && variable.parameter->group() == group) found.push_back(variable.parameter);
  if (freeze_quant_params_ && group == ParameterGroup::qparams && !found.empty())
    fail<StateError>("quantizer ", describe(marks()), ": built with freeze_quant_params, yet \"", found.front()->name(),
                     "\" is trainable");
  return found;
}

}  // namespace bitgrad
