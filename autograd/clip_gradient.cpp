#include <cmath>

#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>

namespace bitgrad {
namespace {

/// Calls f(T{}, name, parameter) for every parameter that has a gradient.
template <class F>
void for_each_gradient(const std::vector<NamedParameter>& parameters, F f) {
  for (const auto& named : parameters)
    if (named.parameter->has_gradient())
      dispatch_floating(named.name, named.parameter->value().dtype(),
                        [&](auto zero) { f(zero, named.name, *named.parameter); });
}

/// Sum of squares in double. Parameters are small beside activations: one thread, one order.
template <class T>
double squares(const Tensor& x) {
  double total = 0;
  for (const T value : x.span<T>()) total += static_cast<double>(value) * static_cast<double>(value);
  return total;
}

}  // namespace

double clip_gradient_norm(const std::vector<NamedParameter>& parameters, double max_norm) {
  if (!(max_norm > 0)) fail<ValueError>("clip_gradient_norm: max_norm is ", max_norm, ", expected a positive number");
  double total = 0;
  for_each_gradient(parameters, [&](auto zero, const std::string& name, const Parameter& parameter) {
    const double own = squares<decltype(zero)>(parameter.gradient());
    if (!std::isfinite(own)) fail<ValueError>("clip_gradient_norm: the gradient of ", name, " is not finite");
    total += own;
  });
  const double norm = std::sqrt(total);
  if (norm <= max_norm) return norm;
  for_each_gradient(parameters, [&](auto zero, const std::string&, Parameter& parameter) {
    using T = decltype(zero);
    T* gradient = parameter.gradient().template data<T>();
    kernels::scale(parameter.gradient().size(), static_cast<T>(max_norm / norm), gradient, gradient);
  });
  return norm;
}

void clip_gradient_value(const std::vector<NamedParameter>& parameters, double max_value) {
  if (!(max_value > 0))
    fail<ValueError>("clip_gradient_value: max_value is ", max_value, ", expected a positive number");
  for_each_gradient(parameters, [&](auto zero, const std::string&, Parameter& parameter) {
    using T = decltype(zero);
    T* gradient = parameter.gradient().template data<T>();
    kernels::clip(parameter.gradient().size(), static_cast<T>(-max_value), static_cast<T>(max_value), gradient,
                  gradient);
  });
}

}  // namespace bitgrad
