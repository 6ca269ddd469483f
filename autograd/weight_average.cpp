#include <bitgrad/autograd/weight_average.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/optimizer.hpp>

namespace bitgrad {

WeightAverage::WeightAverage(std::vector<NamedParameter> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  if (!(decay >= 0 && decay < 1))
    fail<ValueError>("WeightAverage: decay is ", decay, ", expected at least 0 and less than 1");
  for (const auto& [name, parameter] : parameters_) averages_.push_back(parameter->value().clone());
}

void WeightAverage::update() {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double share = 1 - std::min(decay_, (1 + t) / (10 + t));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& value = parameters_[i].parameter->value();
    dispatch_floating("WeightAverage", value.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::average_update<T>(value.size(), share, value.data<T>(), averages_[i].data<T>());
    });
  }
}

void WeightAverage::apply() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].parameter->assign(averages_[i]);
}

NamedTensors WeightAverage::values() const {
  NamedTensors result;
  for (std::size_t i = 0; i < parameters_.size(); ++i) result.add(parameters_[i].name, averages_[i].clone());
  return result;
}

NamedTensors WeightAverage::state() const {
  NamedTensors result{{"steps", Tensor::scalar(static_cast<double>(steps_), DType::int32)}};
  for (const auto& [name, average] : values()) result.add(name + "/average", average);
  return result;
}

void WeightAverage::load_state(const NamedTensors& state) {
  const NamedTensors own = this->state();
  for (const auto& [name, tensor] : own) {
    const Tensor* found = state.find(name);
    if (!found) fail<ValueError>("WeightAverage: '", name, "' is missing in the state");
    if (found->shape() != tensor.shape() || found->dtype() != tensor.dtype())
      fail<ShapeError>("WeightAverage: '", name, "' in the state is ", found->dtype(), " ", found->shape(),
                       ", expected ", tensor.dtype(), " ", tensor.shape());
  }
  for (const auto& [name, tensor] : state)
    if (!own.contains(name)) fail<ValueError>("WeightAverage: unexpected '", name, "' in the state");
  if (state.at("steps").item() < 0)
    fail<ValueError>("WeightAverage: 'steps' is ", state.at("steps").item(), ", expected >= 0");
  steps_ = static_cast<Index>(state.at("steps").item());
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    averages_[i].copy_from(state.at(parameters_[i].name + "/average"));
}

}  // namespace bitgrad
