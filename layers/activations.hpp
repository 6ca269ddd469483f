// Elementwise functions, softmax and log-softmax: inputs of any shape, outputs of the same.
#pragma once

#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

/// What all of them share: one input, no weights.
template <class Derived>
class Activation : public LayerOf<Derived> {
 public:
  explicit Activation(std::string name = {}) : LayerOf<Derived>(std::move(name)) {}
  Shape output_shape(std::span<const Shape> inputs) const override { return single_input(inputs, this->type()); }
};

/// Those that apply a function to single elements, trained as `operation` and lowered as `function`.
template <class Derived, Variable (*operation)(const Variable&), ElementwiseFunction function>
class ElementwiseActivation : public Activation<Derived> {
 public:
  using Activation<Derived>::Activation;
  Variable apply(std::span<const Variable> inputs, const Weights&, const Context&) override {
    return operation(single_input(inputs, this->type()));
  }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override {
    return builder.elementwise(inputs.front(), function);
  }
};

/// max(x, 0)
class ReLU : public Activation<ReLU> {
 public:
  using Activation::Activation;
  std::string_view type() const override { return "ReLU"; }
  std::string_view name_stem() const override { return "relu"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) final;
  Pending apply_pending(const Pending& x, const Weights&, const Context&) final { return x.relu(); }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

/// min(max(x, 0), 6)
class ReLU6 : public Activation<ReLU6> {
 public:
  using Activation::Activation;
  std::string_view type() const override { return "ReLU6"; }
  std::string_view name_stem() const override { return "relu"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) final;
  Pending apply_pending(const Pending& x, const Weights&, const Context&) final { return x.relu6(); }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

/// 1 / (1 + exp(-x))
class Sigmoid : public ElementwiseActivation<Sigmoid, sigmoid, ElementwiseFunction::sigmoid> {
 public:
  using ElementwiseActivation::ElementwiseActivation;
  std::string_view type() const override { return "Sigmoid"; }
  std::string_view name_stem() const override { return "sigmoid"; }
};

/// bitgrad::tanh
class Tanh : public ElementwiseActivation<Tanh, bitgrad::tanh, ElementwiseFunction::tanh> {
 public:
  using ElementwiseActivation::ElementwiseActivation;
  std::string_view type() const override { return "Tanh"; }
  std::string_view name_stem() const override { return "tanh"; }
};

/// bitgrad::gelu
class GELU : public ElementwiseActivation<GELU, gelu, ElementwiseFunction::gelu> {
 public:
  using ElementwiseActivation::ElementwiseActivation;
  std::string_view type() const override { return "GELU"; }
  std::string_view name_stem() const override { return "gelu"; }
};

/// min(max(x + 3, 0), 6) / 6
class HardSigmoid : public ElementwiseActivation<HardSigmoid, hard_sigmoid, ElementwiseFunction::hard_sigmoid> {
 public:
  using ElementwiseActivation::ElementwiseActivation;
  std::string_view type() const override { return "HardSigmoid"; }
  std::string_view name_stem() const override { return "hard_sigmoid"; }
};

/// x min(max(x + 3, 0), 6) / 6
class HardSwish : public ElementwiseActivation<HardSwish, hard_swish, ElementwiseFunction::hard_swish> {
 public:
  using ElementwiseActivation::ElementwiseActivation;
  std::string_view type() const override { return "HardSwish"; }
  std::string_view name_stem() const override { return "hard_swish"; }
};

struct LeakyReLUOptions {
  float slope = 0.01F;  ///< where x is not above 0
  std::string name = {};
};

/// x where x > 0, slope * x elsewhere. ValueError unless the slope is finite.
class LeakyReLU : public Activation<LeakyReLU> {
 public:
  explicit LeakyReLU(LeakyReLUOptions options = {});
  std::string_view type() const override { return "LeakyReLU"; }
  std::string_view name_stem() const override { return "leaky_relu"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  float slope() const { return slope_; }

 private:
  float slope_;
};

struct PowOptions {
  float exponent = 2;
  std::string name = {};
};

/// x^exponent, bitgrad::pow. ValueError unless the exponent is finite.
class Pow : public Activation<Pow> {
 public:
  explicit Pow(PowOptions options = {});
  std::string_view type() const override { return "Pow"; }
  std::string_view name_stem() const override { return "pow"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  float exponent() const { return exponent_; }

 private:
  float exponent_;
};

/// exp(x) / sum(exp(x)) over the last axis. Losses take logits: a classifier is trained without it.
class Softmax : public Activation<Softmax> {
 public:
  using Activation::Activation;
  std::string_view type() const override { return "Softmax"; }
  std::string_view name_stem() const override { return "softmax"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

/// x - log(sum(exp(x))) over the last axis.
class LogSoftmax : public Activation<LogSoftmax> {
 public:
  using Activation::Activation;
  std::string_view type() const override { return "LogSoftmax"; }
  std::string_view name_stem() const override { return "log_softmax"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

}  // namespace bitgrad
