#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

Tensor row(std::initializer_list<float> values) {
  return Tensor::from(Shape{static_cast<Index>(values.size())}, values);
}

void check_equal(const Tensor& got, std::initializer_list<float> expected) {
  REQUIRE(got.size() == static_cast<Index>(expected.size()));
  const float* value = got.data<float>();
  for (const float wanted : expected) {
    CHECK(*value == wanted);
    ++value;
  }
}

WeightsUniformInferableQuantizer uniform_weights(int bits, double min, double max,
                                                 ZeroPointRule rule = ZeroPointRule::rounded) {
  return WeightsUniformInferableQuantizer(
      {.num_bits = bits, .min_range = {min}, .max_range = {max}, .zero_point = rule});
}

}  // namespace

TEST_CASE("per-channel symmetric weights stay between minus t and t minus a step of their channel") {
  // The guide's example: 8 bits, thresholds 2, 4, 1 on the last axis of a (1, 3, 3, 3) tensor.
  const WeightsSymmetricInferableQuantizer quantizer(
      {.num_bits = 8, .threshold = {2, 4, 1}, .per_channel = true, .channel_axis = -1});
  Tensor x(Shape{1, 3, 3, 3});
  for (Index i = 0; i < x.size(); ++i)
    x.data<float>()[i] = static_cast<float>((i % 2 ? 1 : -1) * (0.37 * static_cast<double>(i) + 0.011));
  const Tensor y = quantizer(x);
  const float thresholds[] = {2, 4, 1};
  for (Index i = 0; i < y.size(); ++i) {
    const float t = thresholds[i % 3], step = t / 128;
    const float value = y.data<float>()[i];
    CHECK(value >= -t);
    CHECK(value <= t - step);
    CHECK(std::abs(value / step - std::nearbyint(value / step)) == 0);
    const float inside = std::clamp(x.data<float>()[i], -t, t - step);
    CHECK(std::abs(value - inside) <= step / 2);
  }
  CHECK(identical(quantizer(y), y));
}

TEST_CASE("ties go to even before the zero point is added") {
  const WeightsSymmetricInferableQuantizer symmetric({.num_bits = 4, .threshold = {8}});  // step 1
  check_equal(symmetric(row({0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 7.5F, -8.5F})), {0, 2, 2, 0, -2, -2, 7, -8});
  const auto uniform = uniform_weights(4, -5, 10);  // step 1, zero point 5, odd
  CHECK(uniform.grid().zero_point == std::vector<std::int32_t>{5});
  check_equal(uniform(row({0.5F, 1.5F, -0.5F, -4.5F, 9.5F, 99, -99})), {0, 2, 0, -4, 10, 10, -5});
  const Tensor codes = uniform.codes(row({0.5F, 1.5F, -0.5F, -4.5F, 9.5F, 99, -99}));
  const std::vector<std::int32_t> expected{5, 7, 5, 1, 15, 15, 0};
  CHECK(std::vector<std::int32_t>(codes.span<std::int32_t>().begin(), codes.span<std::int32_t>().end()) == expected);
}

TEST_CASE("level zero is +0, infinities saturate, NaN stays NaN in floats and has no code") {
  const ActivationSymmetricInferableQuantizer quantizer({.num_bits = 8, .threshold = {1}, .is_signed = true});
  const Tensor y = quantizer(row({-0.0F, -1e-9F, 1e30F, -1e30F, inf, -inf, not_a_number}));
  check_equal(y.slice(0, 0, 6), {0, 0, 127.0F / 128, -1, 127.0F / 128, -1});
  CHECK_FALSE(std::signbit(y.data<float>()[0]));
  CHECK_FALSE(std::signbit(y.data<float>()[1]));
  CHECK(std::isnan(y.data<float>()[6]));
  CHECK_THROWS_WITH(quantizer.codes(row({0, 1, not_a_number})), Contains("element 2") && Contains("NaN"));
  const Tensor codes = quantizer.codes(row({inf, -inf}));
  CHECK(codes.data<std::int32_t>()[0] == 127);
  CHECK(codes.data<std::int32_t>()[1] == -128);
}

TEST_CASE("floats multiply by the reciprocal, codes divide") {
  // 0.3 / 0.1 style pairs: find elements where the two disagree, so that the test can see which is used.
  const WeightsSymmetricInferableQuantizer quantizer({.num_bits = 8, .threshold = {0.7}});
  const float scale = quantizer.grid().scale[0];
  CHECK(scale == static_cast<float>(0.7 / 128));
  const float inverse = 1 / scale;
  int different = 0;
  for (int level = -127; level < 127; ++level) {
    const float middle = (static_cast<float>(level) + 0.5F) * scale;
    for (const float x : {std::nextafter(middle, -inf), middle, std::nextafter(middle, inf)}) {
      const float by_reciprocal = std::nearbyint(x * inverse), by_division = std::nearbyint(x / scale);
      different += by_reciprocal != by_division;
      CHECK(quantizer(row({x})).data<float>()[0] == by_reciprocal * scale);
      CHECK(quantizer.codes(row({x})).data<std::int32_t>()[0] == static_cast<std::int32_t>(by_division));
    }
  }
  CHECK(different > 0);
}

TEST_CASE("ranges are moved so that zero is on the grid") {
  CHECK(uniform_weights(8, 0.2, 1.1).grid().zero_point[0] == 0);
  CHECK(uniform_weights(8, 0.2, 1.1).grid().scale[0] == 1.1F / 255);
  CHECK(uniform_weights(8, -2.5, -0.4).grid().zero_point[0] == 255);
  for (const int bits : {1, 2, 3, 8, 16})
    for (const double min : {-2.0, -0.7, 0.0, 0.3}) {
      const auto quantizer = uniform_weights(bits, min, 1.3);
      CHECK(quantizer(row({0})).data<float>()[0] == 0);
    }
}

TEST_CASE("the zero point of uniform weights is rounded, or truncated as in the reference on request") {
  CHECK(uniform_weights(8, -2.0, 0.7).grid().zero_point[0] == 189);
  CHECK(uniform_weights(8, -2.0, 0.7, ZeroPointRule::reference).grid().zero_point[0] == 188);
}

TEST_CASE("one bit: signed {-t, 0}, unsigned {0, t/2}, uniform both ends") {
  check_equal(WeightsPOTInferableQuantizer({.num_bits = 1, .threshold = {2}})(row({-3, -1.5F, -1, 1, 3})),
              {-2, -2, 0, 0, 0});
  check_equal(
      ActivationPOTInferableQuantizer({.num_bits = 1, .threshold = {2}, .is_signed = false})(row({-3, 0.4F, 0.6F, 9})),
      {0, 0, 1, 1});
  check_equal(uniform_weights(1, -0.7, 1.3)(row({-1, 0.4F, 1.2F, 5})), {0, 0, 2, 2});
}

TEST_CASE("16 bits are exact") {
  const WeightsSymmetricInferableQuantizer quantizer({.num_bits = 16, .threshold = {1}});
  for (const int level : {-32768, -32767, -1, 0, 12345, 32767}) {
    const float x = static_cast<float>(level) / 32768;
    CHECK(quantizer(row({x})).data<float>()[0] == x);
    CHECK(quantizer.codes(row({x})).data<std::int32_t>()[0] == level);
  }
}

TEST_CASE("negative axes count from the end, and every axis works") {
  const Shape shape{2, 3, 4};
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x.data<float>()[i] = 0.11F * static_cast<float>(i) - 1.3F;
  for (int axis = 0; axis < 3; ++axis) {
    std::vector<double> thresholds;
    for (Index c = 0; c < shape[axis]; ++c) thresholds.push_back(0.5 + 0.3 * static_cast<double>(c));
    const WeightsSymmetricInferableQuantizer front(
        {.num_bits = 4, .threshold = thresholds, .per_channel = true, .channel_axis = axis});
    const WeightsSymmetricInferableQuantizer back(
        {.num_bits = 4, .threshold = thresholds, .per_channel = true, .channel_axis = axis - 3});
    CHECK(identical(front(x), back(x)));
    CHECK(identical(front.codes(x), back.codes(x)));
    for (Index c = 0; c < shape[axis]; ++c) {
      const WeightsSymmetricInferableQuantizer one(
          {.num_bits = 4, .threshold = {thresholds[static_cast<std::size_t>(c)]}});
      CHECK(identical(front(x).slice(axis, c, c + 1), one(x.slice(axis, c, c + 1))));
    }
    CHECK(identical(front.dequantize(front.codes(x)), values_of(codes_of(x, back.grid()), front.grid())));
  }
}

TEST_CASE("channels that do not fit are refused when quantizing") {
  const WeightsSymmetricInferableQuantizer quantizer(
      {.num_bits = 4, .threshold = {1, 2}, .per_channel = true, .channel_axis = 1});
  CHECK_THROWS_WITH(quantizer(Tensor::zeros(Shape{2, 3})),
                    Contains("WeightsSymmetric") && Contains("3 channels, expected 2"));
  CHECK_THROWS_AS(quantizer(Tensor::zeros(Shape{2})), ShapeError);
  CHECK_THROWS_AS(quantizer.codes(Tensor::zeros(Shape{2, 3})), ShapeError);
  CHECK_THROWS_AS(quantizer(Tensor::zeros(Shape{2, 2}, DType::float64)), ShapeError);
}

TEST_CASE("illegal constructions name the option and the value") {
  using Weights = WeightsSymmetricInferableQuantizer;
  CHECK_THROWS_WITH(Weights({.num_bits = 0, .threshold = {1}}), Contains("num_bits is 0") && Contains("1 to 16"));
  CHECK_THROWS_WITH(Weights({.num_bits = 17, .threshold = {1}}), Contains("num_bits is 17"));
  CHECK_THROWS_WITH(Weights({.threshold = {}}), Contains("threshold has 0 elements"));
  CHECK_THROWS_WITH(Weights({.threshold = {1, 2}}), Contains("threshold has 2 elements, expected exactly 1"));
  CHECK_THROWS_WITH(Weights({.threshold = {1, 2}, .per_channel = true}), Contains("channel_axis"));
  CHECK_THROWS_WITH(Weights({.threshold = {}, .per_channel = true, .channel_axis = 0}), Contains("threshold is empty"));
  for (const double bad : {0.0, -1.0, static_cast<double>(inf), static_cast<double>(not_a_number), 1e-60, 1e60})
    CHECK_THROWS_WITH(Weights({.threshold = {bad}}), Contains("threshold 0 is") && Contains("finite positive"));
  CHECK_THROWS_WITH(WeightsPOTInferableQuantizer({.threshold = {1, 3}, .per_channel = true, .channel_axis = 0}),
                    Contains("WeightsPOT") && Contains("threshold 1 is 3") && Contains("power of two"));
  CHECK_THROWS_AS(ActivationPOTInferableQuantizer({.threshold = {0.3}}), ValueError);
  CHECK_THROWS_AS(ActivationSymmetricInferableQuantizer({.threshold = {1, 2}}), ValueError);

  using Uniform = WeightsUniformInferableQuantizer;
  CHECK_THROWS_WITH(Uniform({.min_range = {1.3}, .max_range = {-0.7}}),
                    Contains("[1.3, -0.7]") && Contains("min < max"));
  for (const double bad : {0.5, static_cast<double>(inf), static_cast<double>(not_a_number), 1e39})
    CHECK_THROWS_AS(Uniform({.min_range = {0.5}, .max_range = {bad}}), ValueError);
  CHECK_THROWS_WITH(Uniform({.min_range = {-3e38}, .max_range = {3e38}}), Contains("finite width"));
  CHECK_THROWS_WITH(Uniform({.min_range = {1e-45}, .max_range = {1e-44}}), Contains("too narrow"));
  CHECK_THROWS_AS(Uniform({.min_range = {1.0}, .max_range = {1.00000000001}}), ValueError);
  CHECK_THROWS_WITH(Uniform({.min_range = {-1, -1}, .max_range = {1, 1, 1}, .per_channel = true, .channel_axis = 0}),
                    Contains("min_range has 2 elements and max_range 3"));
  CHECK_THROWS_AS(Uniform({.min_range = {-1}, .max_range = {1, 2}}), ValueError);
  CHECK_THROWS_AS(ActivationUniformInferableQuantizer({.min_range = {-1, -1}, .max_range = {1, 1}}), ValueError);
}

TEST_CASE("a channel axis without per_channel is ignored, one min serves several max") {
  const WeightsSymmetricInferableQuantizer ignored({.threshold = {1}, .channel_axis = 7});
  CHECK(ignored(row({0.5F})).data<float>()[0] == 0.5F);
  const WeightsUniformInferableQuantizer shared(
      {.num_bits = 4, .min_range = {-1}, .max_range = {1, 2}, .per_channel = true, .channel_axis = 0});
  CHECK(shared.grid().scale.size() == 2);
}

TEST_CASE("denormal, tiny and huge thresholds") {
  const WeightsSymmetricInferableQuantizer denormal({.num_bits = 2, .threshold = {1e-40}});
  const float step = denormal.grid().scale[0];
  check_equal(denormal(row({0, step, 1, -1})), {0, step, step, -2 * step});
  const WeightsSymmetricInferableQuantizer tiny({.threshold = {1e-30}});
  CHECK(tiny(row({0})).data<float>()[0] == 0);
  CHECK(tiny(row({1})).data<float>()[0] == 127 * tiny.grid().scale[0]);
  const auto narrow = uniform_weights(2, -1e-40, 2e-40);
  CHECK(narrow(row({0})).data<float>()[0] == 0);
  CHECK(narrow(row({1})).data<float>()[0] == 2 * narrow.grid().scale[0]);
  const WeightsSymmetricInferableQuantizer huge({.threshold = {3e38}});
  CHECK(huge(row({1})).data<float>()[0] == 0);
}

TEST_CASE("all zeros and constants") {
  for (const float value : {0.0F, 0.3F, -5.0F}) {
    const Tensor x = Tensor::full(Shape{7, 5}, static_cast<double>(value));
    const auto quantizer = uniform_weights(4, -0.7, 1.3);
    const Tensor y = quantizer(x);
    for (const float element : y.span<float>()) CHECK(element == y.data<float>()[0]);
    CHECK(identical(quantizer.dequantize(quantizer.codes(x)), y));
  }
  CHECK(uniform_weights(4, -0.7, 1.3)(Tensor::zeros(Shape{0, 4})).size() == 0);
}

TEST_CASE("the input is never changed") {
  const Tensor x = row({0.1F, 5, -7});
  const Tensor before = x.clone();
  const WeightsSymmetricInferableQuantizer quantizer({.num_bits = 3, .threshold = {1}});
  quantizer(x);
  quantizer.codes(x);
  CHECK(identical(x, before));
}

TEST_CASE("JSON gives back the same quantizer, to the bit") {
  std::vector<InferablePtr> quantizers;
  quantizers.push_back(std::make_unique<WeightsSymmetricInferableQuantizer>(WeightsSymmetricInferableQuantizer::Options{
      .num_bits = 5, .threshold = {0.1, 1.0 / 3, 7e-20}, .per_channel = true, .channel_axis = -1}));
  quantizers.push_back(
      std::make_unique<WeightsPOTInferableQuantizer>(WeightsPOTInferableQuantizer::Options{.threshold = {0.125}}));
  quantizers.push_back(std::make_unique<ActivationSymmetricInferableQuantizer>(
      ActivationSymmetricInferableQuantizer::Options{.num_bits = 16, .threshold = {1e9 / 7}, .is_signed = false}));
  quantizers.push_back(
      std::make_unique<ActivationPOTInferableQuantizer>(ActivationPOTInferableQuantizer::Options{.threshold = {4}}));
  quantizers.push_back(std::make_unique<WeightsUniformInferableQuantizer>(
      WeightsUniformInferableQuantizer::Options{.num_bits = 3,
                                                .min_range = {-0.1, 0.2},
                                                .max_range = {0.3, 0.7},
                                                .per_channel = true,
                                                .channel_axis = 0,
                                                .zero_point = ZeroPointRule::reference}));
  quantizers.push_back(std::make_unique<ActivationUniformInferableQuantizer>(
      ActivationUniformInferableQuantizer::Options{.min_range = {-0.7}, .max_range = {1.3}}));
  for (const InferablePtr& quantizer : quantizers) {
    const InferablePtr back = inferable_from_json(quantizer->to_json());
    CHECK(back->type() == quantizer->type());
    CHECK(back->grid() == quantizer->grid());
    CHECK(back->to_json() == quantizer->to_json());
    CHECK(back->describe() == quantizer->describe());
    CHECK(quantizer->clone()->to_json() == quantizer->to_json());
    CHECK(quantizer->describe().find('\n') == std::string::npos);
    CHECK_THAT(quantizer->describe(),
               Contains(std::string(quantizer->type())) && Contains(message(quantizer->bits(), " bits")));
  }
}

TEST_CASE("JSON that is wrong is refused with the member's name") {
  CHECK_THROWS_WITH(inferable_from_json("nonsense"), Contains("not JSON: parse error"));
  CHECK_THROWS_WITH(inferable_from_json("{}"), Contains("class"));
  CHECK_THROWS_WITH(inferable_from_json(R"({"class": "WeightsSymetricInferableQuantizer"})"),
                    Contains("did you mean \"WeightsSymmetricInferableQuantizer\""));
  const std::string head = R"({"class": "ActivationSymmetricInferableQuantizer", "signed": true, )";
  CHECK_THROWS_WITH(inferable_from_json(head + R"("num_bits": 8})"), Contains("threshold") && Contains("missing"));
  CHECK_THROWS_WITH(inferable_from_json(head + R"("num_bits": 8, "threshold": 1})"),
                    Contains("threshold") && Contains("list"));
  CHECK_THROWS_WITH(inferable_from_json(head + R"("num_bits": 8.5, "threshold": [1]})"), Contains("num_bits"));
  CHECK_THROWS_WITH(inferable_from_json(head + R"("num_bits": 8, "threshold": [1], "extra": 1})"), Contains("extra"));
  CHECK_THROWS_WITH(inferable_from_json(head + R"("num_bits": 8, "threshold": [-1]})"), Contains("threshold 0 is -1"));
}

TEST_CASE("impossible grids are refused") {
  const Grid fine{8, -128, 127, {0.5F}, {0}, {}};
  CHECK_NOTHROW(validate(fine, "grid"));
  const auto changed = [&](auto change) {
    Grid grid = fine;
    change(grid);
    return grid;
  };
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.bits = 17; }), "g"), Contains("17 bits"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.lo = 200; }), "g"), Contains("lo <= hi"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.hi = 128; }), "g"), Contains("do not fit in 8 bits"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.scale[0] = 0; }), "g"), Contains("scale 0 is 0"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.scale[0] = not_a_number; }), "g"), Contains("scale 0 is nan"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.zero_point.push_back(1); }), "g"),
                    Contains("1 scales and 2 zero points"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) { g.zero_point[0] = 1 << 24; }), "g"), Contains("zero point 0 is"));
  CHECK_THROWS_WITH(validate(changed([](Grid& g) {
                               g.scale = {1, 2};
                               g.zero_point = {0, 0};
                             }),
                             "g"),
                    Contains("channel axis"));
}
