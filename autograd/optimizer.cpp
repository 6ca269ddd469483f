#include <bitgrad/autograd/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include <bitgrad/core/kernels/optimizer.hpp>

namespace bitgrad {
namespace {

void check_rate(const std::string& name, const char* what, double rate) {
  if (!(rate >= 0) || !std::isfinite(rate))
    fail<ValueError>(name, ": ", what, " is ", rate, ", expected a finite number >= 0");
}

void check_share(const std::string& name, const char* what, double value) {
  if (!(value >= 0 && value < 1)) fail<ValueError>(name, ": ", what, " is ", value, ", expected 0 <= ", what, " < 1");
}

}  // namespace

std::vector<NamedParameter> select_parameters(const std::vector<NamedParameter>& parameters,
                                              const std::function<bool(const NamedParameter&)>& predicate) {
  std::vector<NamedParameter> result;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(result), predicate);
  return result;
}

std::vector<OptimizerGroup> group_parameters(const std::vector<NamedParameter>& parameters,
                                             const GroupingOptions& options) {
  const auto is_qparam = [](const NamedParameter& p) { return p.parameter->group() == ParameterGroup::qparams; };
  const auto is_kernel = [&](const NamedParameter& p) { return !is_qparam(p) && p.parameter->value().rank() >= 2; };
  const auto is_vector = [&](const NamedParameter& p) { return !is_qparam(p) && p.parameter->value().rank() < 2; };
  return {
      {select_parameters(parameters, is_kernel), {.weight_decay = options.weight_decay}},
      {select_parameters(parameters, is_vector), {.weight_decay = options.decay_vectors ? options.weight_decay : 0.0}},
      {select_parameters(parameters, is_qparam), {.learning_rate_scale = options.qparams_learning_rate_scale}}};
}

Optimizer::Optimizer(std::string name, std::vector<OptimizerGroup> groups, double learning_rate,
                     std::vector<std::string> moments)
    : name_(std::move(name)), groups_(std::move(groups)), learning_rate_(learning_rate), moments_(std::move(moments)) {
  check_rate(name_, "learning rate", learning_rate);
  for (const OptimizerGroup& group : groups_) check(group.options);
  std::set<const Parameter*> seen;
  std::set<std::string> names;
  for (const auto& [full_name, parameter] : parameters()) {
    if (!parameter) fail<ValueError>(name_, ": parameter ", full_name, " is a null pointer");
    if (!seen.insert(parameter.get()).second) fail<ValueError>(name_, ": parameter ", full_name, " is listed twice");
    if (!names.insert(full_name).second) fail<ValueError>(name_, ": two parameters are named ", full_name);
    slots_.push_back({0, std::vector<Tensor>(moments_.size())});
    for (Tensor& moment : slots_.back().moments)
      moment = Tensor::zeros(parameter->value().shape(), parameter->value().dtype());
  }
}

void Optimizer::check(const ParameterGroupOptions& options) const {
  check_rate(name_, "learning_rate_scale", options.learning_rate_scale);
  check_rate(name_, "weight_decay", options.weight_decay);
}

void Optimizer::step() {
  std::size_t i = 0;
  for (const OptimizerGroup& group : groups_)
    for (const auto& [full_name, parameter] : group.parameters) {
      Slot& slot = slots_[i++];
      if (!parameter->trainable() || !parameter->has_gradient()) continue;
      ++slot.steps;
      update(*parameter, slot, learning_rate_ * group.options.learning_rate_scale, group.options.weight_decay);
    }
}

void Optimizer::zero_gradient() {
  for (const auto& [full_name, parameter] : parameters()) parameter->zero_gradient();
}

void Optimizer::set_learning_rate(double rate) {
  check_rate(name_, "learning rate", rate);
  learning_rate_ = rate;
}

void Optimizer::set_group_options(std::size_t group, const ParameterGroupOptions& options) {
  if (group >= groups_.size())
    fail<ValueError>(name_, ": group ", group, ", expected 0 to ", groups_.size(), " exclusive");
  check(options);
  groups_[group].options = options;
}

std::vector<NamedParameter> Optimizer::parameters() const {
  std::vector<NamedParameter> result;
  for (const OptimizerGroup& group : groups_)
    result.insert(result.end(), group.parameters.begin(), group.parameters.end());
  return result;
}

NamedTensors Optimizer::collect(bool copy) const {
  NamedTensors result;
  std::size_t i = 0;
  for (const auto& [full_name, parameter] : parameters()) {
    const Slot& slot = slots_[i++];
    result.add(full_name + "/steps", Tensor::scalar(static_cast<double>(slot.steps), DType::int32));
    for (std::size_t m = 0; m < moments_.size(); ++m)
      result.add(full_name + "/" + moments_[m], copy ? slot.moments[m].clone() : slot.moments[m]);
  }
  return result;
}

NamedTensors Optimizer::state() const { return collect(true); }

void Optimizer::load_state(const NamedTensors& state) {
  const NamedTensors own = collect(false);
  for (const auto& [name, tensor] : state)
    if (!own.contains(name))
      fail<ValueError>(name_, ": unexpected '", name, "' in the state; was it saved with other parameters?");
  for (const auto& [name, tensor] : own) {
    const Tensor* found = state.find(name);
    if (!found) fail<ValueError>(name_, ": '", name, "' is missing in the state; was it saved with other parameters?");
    if (found->shape() != tensor.shape() || found->dtype() != tensor.dtype())
      fail<ShapeError>(name_, ": '", name, "' in the state is ", found->dtype(), " ", found->shape(), ", expected ",
                       tensor.dtype(), " ", tensor.shape());
    if (tensor.dtype() == DType::int32 && found->item() < 0)
      fail<ValueError>(name_, ": '", name, "' is ", found->item(), ", expected >= 0");
  }
  std::size_t i = 0;
  for (const auto& [full_name, parameter] : parameters()) {
    Slot& slot = slots_[i++];
    slot.steps = static_cast<Index>(state.at(full_name + "/steps").item());
    for (std::size_t m = 0; m < moments_.size(); ++m)
      slot.moments[m].copy_from(state.at(full_name + "/" + moments_[m]));
  }
}

Sgd::Sgd(std::vector<OptimizerGroup> groups, const SgdOptions& options)
    : Optimizer("Sgd", std::move(groups), options.learning_rate, {"velocity"}), options_(options) {
  check_share("Sgd", "momentum", options.momentum);
  if (options.nesterov && options.momentum == 0) fail<ValueError>("Sgd: nesterov needs momentum, which is 0");
}

Sgd::Sgd(const std::vector<NamedParameter>& parameters, const SgdOptions& options)
    : Sgd(group_parameters(parameters), options) {}

void Sgd::update(Parameter& parameter, Slot& slot, double rate, double weight_decay) {
  const kernels::SgdStep step{
      .rate = rate, .momentum = options_.momentum, .weight_decay = weight_decay, .nesterov = options_.nesterov};
  dispatch_floating("Sgd", parameter.value().dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::sgd_update<T>(parameter.value().size(), step, parameter.gradient().data<T>(), slot.moments[0].data<T>(),
                           parameter.value().data<T>());
  });
}

namespace {

void check_adam(const char* name, const AdamOptions& options) {
  check_share(name, "beta1", options.beta1);
  check_share(name, "beta2", options.beta2);
  if (!(options.epsilon > 0)) fail<ValueError>(name, ": epsilon is ", options.epsilon, ", expected a positive number");
}

/// The settings of step `t` = 1, 2, ... without weight decay.
kernels::AdamStep adam_step(const AdamOptions& options, double rate, Index t) {
  const auto steps = static_cast<double>(t);
  return {.rate = rate,
          .beta1 = options.beta1,
          .beta2 = options.beta2,
          .epsilon = options.epsilon,
          .correction1 = 1 - std::pow(options.beta1, steps),
          .correction2 = 1 - std::pow(options.beta2, steps)};
}

void take(const char* name, const kernels::AdamStep& step, Parameter& parameter, std::vector<Tensor>& moments) {
  dispatch_floating(name, parameter.value().dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::adam_update<T>(parameter.value().size(), step, parameter.gradient().data<T>(), moments[0].data<T>(),
                            moments[1].data<T>(), parameter.value().data<T>());
  });
}

}  // namespace

Adam::Adam(std::vector<OptimizerGroup> groups, const AdamOptions& options)
    : Optimizer("Adam", std::move(groups), options.learning_rate, {"first_moment", "second_moment"}),
      options_(options) {
  check_adam("Adam", options);
}

Adam::Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options)
    : Adam(group_parameters(parameters), options) {}

void Adam::update(Parameter& parameter, Slot& slot, double rate, double weight_decay) {
  kernels::AdamStep step = adam_step(options_, rate, slot.steps);
  step.weight_decay = weight_decay;
  take("Adam", step, parameter, slot.moments);
}

AdamW::AdamW(std::vector<OptimizerGroup> groups, const AdamOptions& options)
    : Optimizer("AdamW", std::move(groups), options.learning_rate, {"first_moment", "second_moment"}),
      options_(options) {
  check_adam("AdamW", options);
}

void AdamW::update(Parameter& parameter, Slot& slot, double rate, double weight_decay) {
  kernels::AdamStep step = adam_step(options_, rate, slot.steps);
  step.shrink = 1 - rate * weight_decay;
  take("AdamW", step, parameter, slot.moments);
}

Rmsprop::Rmsprop(std::vector<OptimizerGroup> groups, const RmspropOptions& options)
    : Optimizer("Rmsprop", std::move(groups), options.learning_rate, {"second_moment", "velocity"}), options_(options) {
  check_share("Rmsprop", "smoothing", options.smoothing);
  check_share("Rmsprop", "momentum", options.momentum);
  if (!(options.epsilon > 0)) fail<ValueError>("Rmsprop: epsilon is ", options.epsilon, ", expected a positive number");
}

Rmsprop::Rmsprop(const std::vector<NamedParameter>& parameters, const RmspropOptions& options)
    : Rmsprop(group_parameters(parameters), options) {}

void Rmsprop::update(Parameter& parameter, Slot& slot, double rate, double weight_decay) {
  const kernels::RmspropStep step{.rate = rate,
                                  .smoothing = options_.smoothing,
                                  .epsilon = options_.epsilon,
                                  .momentum = options_.momentum,
                                  .weight_decay = weight_decay};
  dispatch_floating("Rmsprop", parameter.value().dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::rmsprop_update<T>(parameter.value().size(), step, parameter.gradient().data<T>(),
                               slot.moments[0].data<T>(), slot.moments[1].data<T>(), parameter.value().data<T>());
  });
}

}  // namespace bitgrad
