// Requantization modes: their arithmetic against the published definitions, the engines against the naive executor.
#include <catch2/catch.hpp>
#include <cmath>

#include <bitgrad/qat/export/onnx.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include "qat/inference_support.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;
using inference::FixedPoint;

namespace {

// The definitions, step by step as they are published (TFLite's quantization_util.cc and common.h, gemmlowp's
// fixedpoint.h).

FixedPoint published_quantize_multiplier(double real) {
  if (real == 0.0) return {0, 0};
  int shift = 0;
  const double q = std::frexp(real, &shift);
  auto q_fixed = static_cast<std::int64_t>(std::round(q * static_cast<double>(1LL << 31)));
  if (q_fixed == (1LL << 31)) {
    q_fixed /= 2;
    ++shift;
  }
  if (shift < -31) {
    shift = 0;
    q_fixed = 0;
  }
  return {static_cast<std::int32_t>(q_fixed), shift};
}

std::int32_t published_doubling_high_mul(std::int32_t a, std::int32_t b) {
  if (a == b && a == std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::max();
  const std::int64_t ab = std::int64_t{a} * b;
  const std::int32_t nudge = ab >= 0 ? (1 << 30) : (1 - (1 << 30));
  return static_cast<std::int32_t>((ab + nudge) / (1LL << 31));
}

std::int32_t published_divide_by_pot(std::int32_t x, int exponent) {
  const auto mask = static_cast<std::int32_t>((1LL << exponent) - 1);
  const std::int32_t remainder = x & mask;
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

std::int32_t published_twice(std::int32_t x, const FixedPoint& m) {
  const int left = m.shift > 0 ? m.shift : 0, right = m.shift > 0 ? 0 : -m.shift;
  return published_divide_by_pot(published_doubling_high_mul(x * (1 << left), m.value), right);
}

std::int32_t published_once(std::int32_t x, const FixedPoint& m) {
  const std::int64_t total_shift = 31 - m.shift, round = std::int64_t{1} << (total_shift - 1);
  return static_cast<std::int32_t>((x * static_cast<std::int64_t>(m.value) + round) >> total_shift);
}

/// Reals around which multipliers change: powers of two and their neighbours, the ends, and others.
std::vector<double> reals() {
  std::vector<double> result{0.0, 0.3, 0.7, 1.0 / 3, 0.99999999977, 0.99999999976};
  for (int e = -40; e <= 8; ++e)
    for (const double mantissa : {0.5, 0.75, 0.5 + 0x1p-32, 0.5 + 0x1p-31, 1 - 0x1p-32, 1 - 0x1p-33, 1 - 0x1p-53})
      result.push_back(std::ldexp(mantissa, e));
  Dice dice(7);
  for (int i = 0; i < 500; ++i)
    result.push_back(std::ldexp(static_cast<double>(dice.real(0.5F, 1)), static_cast<int>(dice.integer(-35, 5))));
  return result;
}

/// Accumulators with ties of every shift among them.
std::vector<std::int32_t> accumulators(int left) {
  const auto most = static_cast<std::int32_t>((std::int64_t{1} << (31 - left)) - 1);
  std::vector<std::int32_t> result{0, most, most - 1};
  for (int bit = 0; bit < 31 - left; ++bit)
    for (const std::int32_t odd : {1, 3, 5, 7})
      if (std::int64_t{odd} << bit <= most) result.push_back(odd << bit);
  Dice dice(11);
  for (int i = 0; i < 60; ++i) result.push_back(static_cast<std::int32_t>(dice.integer(0, most)));
  const std::size_t count = result.size();
  for (std::size_t i = 0; i < count; ++i) result.push_back(-result[i]);
  return result;
}

bool has(const InferenceGraph& graph, std::string_view operation) {
  return std::ranges::any_of(graph.nodes, [&](const GraphNode& node) { return name_of(node.operation) == operation; });
}

/// a and b, (3) codes each given as real values, added.
InferenceGraph sum_graph(const Grid& a, const Grid& b, const Grid& y) {
  InferenceGraphBuilder builder({3});
  builder.set_layer_name("a");
  const GraphValue left = builder.quantize(builder.input(), activations(a));
  builder.set_layer_name("b");
  const GraphValue right = builder.quantize(builder.clamp(left, 0.0F, 1.0F), activations(b));
  builder.set_layer_name("sum");
  return builder.finish(builder.quantize(builder.add(left, right), activations(y)));
}

InferenceGraph average_graph(const Grid& x, const Grid& y) {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("x");
  const GraphValue value = builder.quantize(builder.input(), activations(x));
  builder.set_layer_name("average");
  return builder.finish(builder.quantize(builder.global_average_pool2d(value), activations(y)));
}

/// 3x3 windows of (5, 5, 1), averaged, or summed up by a convolution whose weights stand for fl32(1 / 9).
InferenceGraph window_graph(const Grid& x, const Grid& y, bool convolution) {
  InferenceGraphBuilder builder({5, 5, 1});
  builder.set_layer_name("x");
  GraphValue value = builder.quantize(builder.input(), activations(x));
  builder.set_layer_name("windows");
  const float part = 1.0F / 9;
  const WeightQuantizers ones = kernel_on(signed_grid(2, part));
  if (convolution) {
    const InferenceGraphBuilder::WeightScope scope(builder, ones);
    value = builder.conv2d(value, {.padding = Padding::valid()},
                           {"kernel", floats({3, 3, 1, 1}, std::vector<float>(9, part))}, {"bias", Tensor()});
  } else {
    value = builder.average_pool2d(value, {3, 3}, {1, 1}, Padding::valid());
  }
  builder.set_layer_name("y");
  return builder.finish(builder.quantize(value, activations(y)));
}

std::vector<std::int32_t> output_codes(InferenceGraph graph, RequantizationMode mode, const Tensor& x) {
  set_requantization(graph, mode);
  return codes_in(graph.run_all(x)[static_cast<std::size_t>(graph.output)]);
}

}  // namespace

TEST_CASE("requantization: multipliers in fixed point are those of the definition") {
  for (const double real : reals()) {
    const FixedPoint expected = published_quantize_multiplier(real), found = inference::fixed_point(real);
    INFO(real);
    CHECK(found.value == expected.value);
    CHECK(found.shift == expected.shift);
  }
  CHECK(inference::fixed_point(1 - 0x1p-53).value == 1 << 30);  // rounds up to 1
  CHECK(inference::fixed_point(1 - 0x1p-53).shift == 1);
  CHECK(inference::fixed_point(0x1p-40).value == 0);
}

TEST_CASE("requantization: products are those of the definitions, ties and ends included") {
  std::size_t compared = 0, roundings_differ = 0;
  for (const double real : reals()) {
    const FixedPoint m = inference::fixed_point(real);
    for (const std::int32_t x : accumulators(std::max(m.shift, 0))) {
      const std::int32_t twice = published_twice(x, m), once = published_once(x, m);
      if (inference::multiply_rounding_twice(x, m) != twice || inference::multiply_rounding_once(x, m) != once)
        FAIL(x << " * " << m.value << " / 2^31 * 2^" << m.shift << ": " << inference::multiply_rounding_twice(x, m)
               << " and " << inference::multiply_rounding_once(x, m) << ", expected " << twice << " and " << once);
      ++compared;
      roundings_differ += twice != once;
    }
  }
  CHECK(compared > 100000);
  CHECK(roundings_differ > 1000);
}

TEST_CASE("requantization: halves") {
  const FixedPoint half = inference::fixed_point(0.5);
  CHECK(half.shift == 0);
  // The first rounding takes halves up, the second away from zero, a single one up.
  CHECK(inference::multiply_rounding_twice(3, half) == 2);
  CHECK(inference::multiply_rounding_twice(-3, half) == -1);
  const FixedPoint quarter = inference::fixed_point(0.25);
  CHECK(inference::multiply_rounding_twice(-6, quarter) == -2);
  CHECK(inference::multiply_rounding_once(-6, quarter) == -1);
  CHECK(inference::multiply_rounding_once(6, quarter) == 2);
}

TEST_CASE("requantization: engines and naive executor agree in every mode") {
  for (const RequantizationMode mode : requantization_modes()) {
    int verified = 0, sums = 0, averages = 0, pools = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
      InferenceGraph graph = RandomNetwork(seed, 8).build();
      try {
        set_requantization(graph, mode);
      } catch (const NotImplementedError&) {
        CHECK(mode != RequantizationMode::ort);
        continue;
      }
      const Shape input = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
      const VerifyReport report = verify(graph, Dice(seed).tensor(input.prepended(6), -0.2F, 1.2F));
      INFO(name_of(mode) << ", seed " << seed << "\n" << report.describe());
      CHECK(report.passed());
      ++verified;
      sums += has(graph, "integer_add");
      averages += has(graph, "integer_global_average_pool2d");
      pools += has(graph, "integer_average_pool2d");
    }
    INFO(name_of(mode));
    CHECK(verified > 40);
    CHECK(sums > 5);
    CHECK(averages > 5);
    CHECK(pools > 5);
  }
}

TEST_CASE("requantization: a sum of halves") {
  // 0.5 and 1.5 of the result's unit; the second operand is 0, so that the result is half of a.
  const InferenceGraph graph = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 2));
  const Tensor x = floats({1, 3}, {-1, -3, -5});
  CHECK(output_codes(graph, RequantizationMode::ort, x) == std::vector<std::int32_t>{0, -2, -2});
  CHECK(output_codes(graph, RequantizationMode::xnnpack, x) == std::vector<std::int32_t>{0, -1, -2});
  CHECK(output_codes(graph, RequantizationMode::tflm_double, x) == std::vector<std::int32_t>{-1, -2, -3});
  CHECK(output_codes(graph, RequantizationMode::single, x) == std::vector<std::int32_t>{0, -1, -2});
}

TEST_CASE("requantization: XNNPACK's average rounds with the zero point") {
  const Tensor x = floats({1, 2, 2, 1}, {1, 1, 0, 0});  // the mean is 0.5
  for (const std::int32_t zero : {0, 1, 2, 3}) {
    const InferenceGraph graph = average_graph(unsigned_grid(8, 1), unsigned_grid(8, 1, zero));
    CHECK(output_codes(graph, RequantizationMode::ort, x)[0] == zero);
    CHECK(output_codes(graph, RequantizationMode::xnnpack, x)[0] == zero + zero % 2);
    CHECK(output_codes(graph, RequantizationMode::tflm_double, x)[0] == zero + 1);
  }
}

TEST_CASE("requantization: average pooling rounds as a convolution by ones does") {
  std::size_t codes = 0, unlike_ort = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Dice dice(seed);
    const Grid x = unsigned_grid(8, dice.real(0.003F, 0.005F), static_cast<std::int32_t>(dice.integer(0, 100)));
    const Grid y = unsigned_grid(8, dice.real(0.003F, 0.005F), static_cast<std::int32_t>(dice.integer(0, 100)));
    const Tensor images = dice.tensor({20, 5, 5, 1}, -0.5F, 1);
    const InferenceGraph averages = window_graph(x, y, false), sums = window_graph(x, y, true);
    REQUIRE(has(averages, "integer_average_pool2d"));
    REQUIRE(has(sums, "integer_conv2d"));
    const auto ort = output_codes(averages, RequantizationMode::ort, images);
    for (const RequantizationMode mode : requantization_modes().subspan(1)) {
      INFO(name_of(mode) << ", seed " << seed);
      const auto found = output_codes(averages, mode, images);
      CHECK(found == output_codes(sums, mode, images));
      for (std::size_t i = 0; i < found.size(); ++i) unlike_ort += found[i] != ort[i];
      codes += found.size();
    }
  }
  CHECK(codes > 10000);
  CHECK(unlike_ort > 0);
}

TEST_CASE("requantization: numbers of pixels under the windows of a pooling") {
  const auto counts = [](Index size, Index window, Index stride, const Padding& padding) {
    return inference::window_pixels(pool2d_geometry({1, size, size, 1}, {window, window}, {stride, stride}, padding));
  };
  CHECK(counts(5, 3, 1, Padding::valid()) == std::vector<Index>{9});
  CHECK(counts(4, 3, 1, Padding::same()) == std::vector<Index>{4, 6, 9});
  CHECK(counts(5, 2, 2, Padding::same()) == std::vector<Index>{1, 2, 4});
}

TEST_CASE("requantization: modes survive saving, and files of other modes are told apart") {
  const support::TemporaryDirectory directory;
  for (const RequantizationMode mode : requantization_modes()) {
    InferenceGraph graph = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 2));
    set_requantization(graph, mode);
    graph.save(directory / "graph");
    CHECK(InferenceGraph::load(directory / "graph").mode == mode);
    CHECK(requantization_mode(name_of(mode)) == mode);
  }
  CHECK_THROWS_WITH(requantization_mode("tflm"),
                    Contains("\"tflm\"") && Contains("ort, xnnpack, tflm_double, single, tflite_reference"));
}

TEST_CASE("requantization: what a mode has no arithmetic for is refused by name") {
  InferenceGraph wide = sum_graph(signed_grid(9, 1), signed_grid(8, 1), signed_grid(8, 2));
  for (const RequantizationMode mode : requantization_modes().subspan(1))
    CHECK_THROWS_WITH(set_requantization(wide, mode), Contains("\"a\"") && Contains("8 bits"));
  CHECK(wide.mode == RequantizationMode::ort);
  InferenceGraph far = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 0x1p-9F));
  CHECK_THROWS_WITH(set_requantization(far, RequantizationMode::xnnpack), Contains("\"sum\"") && Contains("2^8"));
  CHECK_NOTHROW(set_requantization(far, RequantizationMode::tflm_double));
  InferenceGraph farther = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 0x1p-19F));
  CHECK_THROWS_WITH(set_requantization(farther, RequantizationMode::single), Contains("\"sum\"") && Contains("2^19"));
}

TEST_CASE("requantization: ONNX files are of mode ort alone") {
  InferenceGraph graph = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 2));
  CHECK_NOTHROW(format_onnx(graph, {}));
  set_requantization(graph, RequantizationMode::single);
  CHECK_THROWS_WITH(format_onnx(graph, {}), Contains("\"single\""));
}

TEST_CASE("requantization: the comparison of modes counts what changes") {
  const InferenceGraph graph = sum_graph(signed_grid(8, 1), signed_grid(8, 1), signed_grid(8, 2));
  const auto results = compare_modes(graph, floats({2, 3}, {-1, -3, -5, 3, 0, 0}), 1);
  REQUIRE(results.size() == 5);
  CHECK(results[0].differing == 0);
  CHECK(results[0].codes == 18);
  CHECK(results[1].differing == 1);
  CHECK(results[1].largest_step == 1);
  CHECK(results[2].differing == 2);
  CHECK(results[2].argmaxes == 0);
  InferenceGraph wide = sum_graph(signed_grid(9, 1), signed_grid(8, 1), signed_grid(8, 2));
  CHECK_THAT(compare_modes(wide, floats({1, 3}, {0, 0, 0}))[1].refused, Contains("8 bits"));
}
