#include <bitgrad/layers/initializers.hpp>

#include <cmath>

namespace bitgrad {

Fans fans(const Shape& kernel) {
  if (kernel.rank() != 2 && kernel.rank() != 4)
    fail<ShapeError>("fans: kernel of shape ", kernel, ", expected [in, out] or [kh, kw, in, out]");
  const Index window = kernel.rank() == 4 ? kernel[0] * kernel[1] : 1;
  return {window * kernel[-2], window * kernel[-1]};
}

namespace initializers {
namespace {

/// `deviation_of(fans)`: the deviation of the numbers.
template <class F>
Initializer normal(F deviation_of) {
  return [deviation_of](const Shape& shape, Random& random) {
    Tensor result(shape);
    random.fill_normal(result, 0, deviation_of(fans(shape)));
    return result;
  };
}

template <class F>
Initializer uniform(F limit_of) {
  return [limit_of](const Shape& shape, Random& random) {
    const double limit = limit_of(fans(shape));
    Tensor result(shape);
    random.fill_uniform(result, -limit, limit);
    return result;
  };
}

double ratio(double numerator, Index fan) { return std::sqrt(numerator / static_cast<double>(fan)); }

}  // namespace

Initializer zeros() { return constant(0); }
Initializer ones() { return constant(1); }
Initializer constant(float value) {
  return [value](const Shape& shape, Random&) { return Tensor::full(shape, value); };
}
Initializer he_normal() {
  return normal([](Fans f) { return ratio(2, f.in); });
}
Initializer he_uniform() {
  return uniform([](Fans f) { return ratio(6, f.in); });
}
Initializer glorot_uniform() {
  return uniform([](Fans f) { return ratio(6, f.in + f.out); });
}
Initializer glorot_normal() {
  return normal([](Fans f) { return ratio(2, f.in + f.out); });
}

}  // namespace initializers
}  // namespace bitgrad
