// Layers as users write them: with weights of their own, and made of other layers.
#pragma once

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

namespace bitgrad::test {

/// y = x * gain, one per channel.
class Gain : public LayerOf<Gain> {
 public:
  explicit Gain(std::string name = {}) : LayerOf(std::move(name)) {}

  std::string_view type() const override { return "Gain"; }
  std::string_view name_stem() const override { return "gain"; }
  Shape output_shape(std::span<const Shape> inputs) const override { return single_input(inputs, type()); }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context&) override {
    return single_input(inputs, type()) * weights["gain"];
  }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override {
    const Tensor& gain = weight("gain")->value();
    const Tensor zeros = Tensor::zeros(gain.shape());
    return builder.batch_norm(inputs.front(), gain, zeros, zeros, Tensor::full(gain.shape(), 1), 0);
  }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override {
    Tensor gain({inputs.front()[-1]});
    random.fill_uniform(gain, 0.5, 1.5);
    add_weight("gain", gain);
  }
};

/// A dense layer whose kernel counts twice: what it hands to the builder is not the weight itself.
class Doubled : public LayerOf<Doubled> {
 public:
  std::string_view type() const override { return "Doubled"; }
  std::string_view name_stem() const override { return "doubled"; }
  Shape output_shape(std::span<const Shape>) const override { return {3}; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context&) override {
    return dense(inputs.front(), weights["kernel"] * 2.0, Variable());
  }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override {
    return builder.dense(inputs.front(), {"kernel", (Variable(weight("kernel")->value()) * 2.0).value()}, {"bias", {}});
  }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override {
    Tensor kernel({inputs.front()[0], 3});
    random.fill_uniform(kernel, -1, 1);
    add_weight("kernel", kernel);
  }
};

/// gain * norm(hold(inner(x))): a weight of its own and three layers inside.
class Block : public LayerOf<Block> {
 public:
  Block(LayerPtr inner, LayerPtr holder) : inner_(std::move(inner)), holder_(std::move(holder)) {}
  Block(const Block& other)
      : LayerOf<Block>(other), inner_(other.inner_->clone()), holder_(other.holder_->clone()), norm_(other.norm_) {}

  std::string_view type() const override { return "Block"; }
  std::string_view name_stem() const override { return "block"; }
  std::vector<NamedLayer> sublayers() const override {
    return {{"inner", inner_.get()}, {"hold", holder_.get()}, {"norm", const_cast<BatchNorm*>(&norm_)}};
  }
  Shape output_shape(std::span<const Shape> inputs) const override { return inner_->output_shape(inputs); }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override {
    const Variable y = norm_.forward(holder_->forward(inner_->forward(inputs, context), context), context);
    return dense(y, weights["kernel"], Variable());
  }
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override {
    GraphValue y = inner_->lower(builder, inputs);
    for (const Layer* next : {static_cast<const Layer*>(holder_.get()), static_cast<const Layer*>(&norm_)})
      y = next->lower(builder, {&y, 1});
    return builder.dense(y, {"kernel", weight("kernel")->value()}, {"bias", {}});
  }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override {
    const Shape middle = inner_->build(inputs, random);
    holder_->build({&middle, 1}, random);
    norm_.build({&middle, 1}, random);
    Tensor kernel({middle[0], middle[0]});
    random.fill_uniform(kernel, -1, 1);
    add_weight("kernel", kernel);
  }

  LayerPtr inner_, holder_;
  BatchNorm norm_;
};

}  // namespace bitgrad::test
