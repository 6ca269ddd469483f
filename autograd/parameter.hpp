// A trainable tensor that outlives tapes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// What an optimizer may treat differently: network weights, or parameters of quantizers (own learning rate, no weight
/// decay). The reference system's VariableGroup.
enum class ParameterGroup { weights, qparams };

/// A value, its gradient, and what an optimizer needs to know. Shared: a layer and a quantizer may hold the same one.
class Parameter {
 public:
  /// `value` (float32 or float64) is taken over, not copied; its shape and dtype stay fixed. ShapeError for another
  /// dtype, ValueError for an undefined tensor.
  Parameter(std::string name, Tensor value, ParameterGroup group = ParameterGroup::weights, bool trainable = true);

  const std::string& name() const { return name_; }
  ParameterGroup group() const { return group_; }
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) { trainable_ = trainable; }

  /// How far is far: a change of this size matters as much as one of the size of a weight matters to that weight. For
  /// optimizers whose steps do not follow the size of the gradient (see Trainer). Empty, the usual case: the
  /// parameter's own magnitude. It has to be said where that says nothing: 1 for an exponent, the width of a range for
  /// an end that may be 0.
  std::optional<double> unit() const { return unit_; }
  /// Throws ValueError unless finite and positive.
  void set_unit(double unit);

  const Tensor& value() const { return value_; }
  Tensor& value() { return value_; }
  /// Replaces the elements; throws ShapeError when shape or dtype differ.
  void assign(const Tensor& value);

  /// Sum of the gradients of all backward passes since zero_gradient(); zeros before the first.
  const Tensor& gradient() const;
  Tensor& gradient();
  bool has_gradient() const { return gradient_.defined(); }
  /// Adds to the gradient; throws ShapeError when shape or dtype differ.
  void accumulate(const Tensor& gradient);
  void zero_gradient();

  /// A parameter of its own with the same name, value, group and unit; without a gradient.
  std::shared_ptr<Parameter> clone() const;

  /// Converts the value to another floating dtype (float64 for gradient checks) and forgets the gradient.
  void convert(DType dtype);

 private:
  std::string name_;
  Tensor value_;
  mutable Tensor gradient_;
  ParameterGroup group_;
  bool trainable_;
  std::optional<double> unit_;
};

using ParameterPtr = std::shared_ptr<Parameter>;

/// A parameter under its full name, "block1/conv2/kernel" in a model, "kernel" in a layer.
struct NamedParameter {
  std::string name;
  ParameterPtr parameter;
};

}  // namespace bitgrad
