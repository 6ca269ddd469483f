#include <autograd/support.hpp>

#include <bit>
#include <limits>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Ordinary numbers of all magnitudes below 2^23, ties and their neighbours, zeros and subnormals.
std::vector<float> ordinary_numbers() {
  std::vector<float> result{0.0f, -0.0f, 1e-45f, -1e-45f, 1e-38f, 8388607.0f, -8388607.5f, 4194304.5f, -4194303.5f};
  for (int i = -40; i <= 40; ++i) {
    const float tie = static_cast<float>(i) / 2;
    for (const float x : {tie, std::nextafter(tie, infinity), std::nextafter(tie, -infinity)}) result.push_back(x);
  }
  Random random(3);
  for (int exponent = -30; exponent < 23; ++exponent)
    for (int i = 0; i < 200; ++i) result.push_back(std::ldexp(random.uniform(-1.0f, 1.0f), exponent));
  return result;
}

/// The three steps in float32; volatile keeps each of them.
float three_steps(float y, float x) {
  volatile float difference = y - x;
  volatile float sum = difference + x;
  return sum;
}

template <class F, class G>
void compare_bits(F function, G expected) {
  const std::vector<float> numbers = ordinary_numbers();
  const Tensor y = function(Tensor::from({static_cast<Index>(numbers.size())}, numbers)).value();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    INFO(numbers[i]);
    REQUIRE(std::bit_cast<std::uint32_t>(y.span<float>()[i]) == std::bit_cast<std::uint32_t>(expected(numbers[i])));
  }
}

Tensor gradient_of(const std::function<Variable(const Variable&)>& f, const Tensor& x) {
  Tape tape;
  const Variable leaf = tape.watch(x);
  const Variable y = f(leaf);
  tape.backward(y, Tensor::full(y.shape(), 3, y.dtype()));
  return tape.gradient(leaf);
}

}  // namespace

TEST_CASE("straight-through forwards are the reference's three steps, bit for bit") {
  compare_bits(ste_round, [](float x) { return three_steps(std::nearbyint(x), x); });
  compare_bits(ste_floor, [](float x) { return three_steps(std::floor(x), x); });
  compare_bits(ste_ceil, [](float x) { return three_steps(std::ceil(x), x); });
  compare_bits(bitgrad::round, [](float x) { return std::nearbyint(x); });
  for (const auto& [lo, hi] : {std::pair{-8.0f, 7.0f}, {0.0f, 255.0f}, {-0.3f, 0.7f}, {-32768.0f, 32767.0f}})
    compare_bits(
        [lo = lo, hi = hi](const Variable& x) { return ste_clip(x, static_cast<double>(lo), static_cast<double>(hi)); },
        [lo = lo, hi = hi](float x) { return three_steps(std::min(std::max(x, lo), hi), x); });
  for (const float f : {0.1f, 0.5f, 1.0f, 0.0123f, 1e-6f})
    compare_bits([f](const Variable& x) { return grad_scale(x, static_cast<double>(f)); },
                 [f](float x) {
                   volatile float p = x * f;
                   volatile float difference = x - p;
                   volatile float sum = difference + p;
                   return static_cast<float>(sum);
                 });
}

TEST_CASE("rounding of float64") {
  const Tensor x = Tensor::from(Shape{5}, std::vector<double>{0.5, 1.5, -2.5, 4503599627370495.5, 1e300});
  CHECK(identical(ste_round(x).value(),
                  Tensor::from(Shape{5}, std::vector<double>{0, 2, -2, 4503599627370496.0, 1e300})));
}

TEST_CASE("huge inputs saturate, NaN stays NaN") {
  const Tensor x = Tensor::from({5}, {1e10f, -1e10f, 3e38f, infinity, -infinity});
  CHECK(identical(ste_round(x).value(), x));
  CHECK(identical(ste_floor(x).value(), x));
  CHECK(identical(ste_ceil(x).value(), x));
  CHECK(identical(bitgrad::round(x).value(), x));
  CHECK(identical(ste_clip(x, -128, 127).value(), Tensor::from({5}, {127, -128, 127, 127, -128})));
  const Tensor nothing = Tensor::full({3}, std::numeric_limits<double>::quiet_NaN());
  for (const auto& y : {ste_round(nothing), ste_floor(nothing), ste_ceil(nothing), bitgrad::round(nothing),
                        ste_clip(nothing, 0, 1), grad_scale(nothing, 0.5)})
    for (const float value : y.value().span<float>()) CHECK(std::isnan(value));
}

TEST_CASE("straight-through gradients are the declared ones") {
  const Tensor x = Tensor::from({4}, {-9, 0.3f, 0.5f, 9});
  const Tensor three = Tensor::full({4}, 3);
  CHECK(identical(gradient_of(ste_round, x), three));
  CHECK(identical(gradient_of(ste_floor, x), three));
  CHECK(identical(gradient_of(ste_ceil, x), three));
  CHECK(identical(gradient_of([](const Variable& v) { return ste_clip(v, -1, 1); }, x), three));
  CHECK(identical(gradient_of([](const Variable& v) { return grad_scale(v, 0.25); }, x), Tensor::full({4}, 0.75)));
  CHECK(identical(gradient_of(bitgrad::round, x), Tensor::zeros({4})));
}

TEST_CASE("a gradient check sees straight-through surrogates") {
  const Tensor x = Tensor::from(Shape{7}, std::vector<double>{-9.2, -1, -0.5, 0, 0.49999999, 0.5, 7.7});
  check_gradient([](const std::vector<Variable>& v) { return ste_round(v[0]); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return ste_floor(v[0]) + ste_ceil(v[0]); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return ste_clip(v[0], -1, 0.5); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return grad_scale(v[0], 0.1); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return bitgrad::round(v[0]); }, {x});
  const auto all = [](const std::vector<Variable>& v) {
    const Variable u = grad_scale(v[0], 0.3);
    return ste_round(u) * ste_clip(u, -2, 1.5) + ste_floor(u) - ste_ceil(u * 3.0) + bitgrad::round(u) * u;
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{4, 3}, Shape{2, 3, 1, 5}, Shape{0, 3}})
    check_gradient(all, {uniform(shape, 6, -6, 6)});
}

TEST_CASE("straight-through results do not depend on threads") {
  for (const auto& f : std::vector<std::function<Variable(const Variable&)>>{
           ste_round, ste_floor, [](const Variable& v) { return ste_clip(v, -3, 3); },
           [](const Variable& v) { return grad_scale(v, 0.37); }})
    check_float32([&](const std::vector<Variable>& v) { return f(v[0] * 1.0); }, {uniform({50000}, 1, -9, 9)}, 1e-6);
}
