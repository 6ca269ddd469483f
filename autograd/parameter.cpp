#include <bitgrad/autograd/parameter.hpp>

#include <cmath>

#include <bitgrad/autograd/accumulate.hpp>

namespace bitgrad {

Parameter::Parameter(std::string name, Tensor value, ParameterGroup group, bool trainable)
    : name_(std::move(name)), value_(std::move(value)), group_(group), trainable_(trainable) {
  if (!value_.defined()) fail<ValueError>("parameter ", name_, ": the value is undefined");
  if (value_.dtype() != DType::float32 && value_.dtype() != DType::float64)
    fail<ShapeError>("parameter ", name_, ": dtype is ", value_.dtype(), ", expected float32 or float64");
}

void Parameter::set_unit(double unit) {
  if (!(unit > 0) || !std::isfinite(unit))
    fail<ValueError>("parameter ", name_, ": the unit is ", unit, ", expected a finite positive number");
  unit_ = unit;
}

ParameterPtr Parameter::clone() const {
  auto copy = std::make_shared<Parameter>(name_, value_.clone(), group_, trainable_);
  copy->unit_ = unit_;
  return copy;
}

void Parameter::assign(const Tensor& value) {
  if (value.shape() != value_.shape() || value.dtype() != value_.dtype())
    fail<ShapeError>("parameter ", name_, ": assigned ", value.dtype(), " ", value.shape(), ", expected ",
                     value_.dtype(), " ", value_.shape());
  value_.copy_from(value);
}

const Tensor& Parameter::gradient() const {
  if (!gradient_.defined()) gradient_ = Tensor::zeros(value_.shape(), value_.dtype());
  return gradient_;
}

Tensor& Parameter::gradient() {
  static_cast<const Parameter*>(this)->gradient();
  return gradient_;
}

void Parameter::accumulate(const Tensor& gradient) {
  if (gradient.shape() != value_.shape() || gradient.dtype() != value_.dtype())
    fail<ShapeError>("parameter ", name_, ": gradient is ", gradient.dtype(), " ", gradient.shape(), ", expected ",
                     value_.dtype(), " ", value_.shape());
  add_into(this->gradient(), gradient);
}

void Parameter::zero_gradient() {
  if (gradient_.defined()) gradient_.fill(0);
}

void Parameter::convert(DType dtype) {
  value_ = value_.to(dtype);
  gradient_ = Tensor();
}

}  // namespace bitgrad
