// The last bit of every rule: inputs are enumerated where a neighbouring formula (a reciprocal, a product rounded on
// its own, a division in two steps) gives another code, so that the wrong one cannot pass.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/qat/inference/verify.hpp>

#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

struct Executions {
  Executions(const InferenceGraph& graph, const Tensor& x)
      : graph_(graph),
        naive_(run_naive(graph, x)),
        engine_(graph.run_all(x)),
        integer_(graph.run_integer_all(naive_[static_cast<std::size_t>(graph.integer_input())])) {}

  /// The tensor, the same in all executions.
  const Tensor& operator[](const std::string& name) const {
    const std::size_t t = static_cast<std::size_t>(tensor_number(graph_, name));
    CHECK(identical(naive_[t], engine_[t]));
    CHECK(identical(naive_[t], integer_[t]));
    return naive_[t];
  }

 private:
  const InferenceGraph& graph_;
  std::vector<Tensor> naive_, engine_, integer_;
};

std::int32_t clamped(float level, const Grid& grid) {
  return static_cast<std::int32_t>(std::clamp(std::nearbyint(level) + static_cast<float>(grid.zero_point[0]),
                                              static_cast<float>(grid.lo), static_cast<float>(grid.hi)));
}

}  // namespace

TEST_CASE("rule of quantize: a true division") {
  Index reciprocal_differs = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Grid grid = unsigned_grid(8, Dice(seed).real(0.001F, 0.1F), static_cast<std::int32_t>(seed));
    InferenceGraphBuilder builder({1});
    builder.set_layer_name("q");
    const InferenceGraph graph = builder.finish(builder.quantize(builder.input(), activations(grid)));
    Tensor x({3 * 255, 1});  // on and around every boundary between two codes
    for (Index k = 0; k < 255; ++k) {
      float* triple = x.data<float>() + 3 * k;
      triple[1] = (static_cast<float>(k - grid.zero_point[0]) + 0.5F) * grid.scale[0];
      triple[0] = std::nextafter(triple[1], -INFINITY);
      triple[2] = std::nextafter(triple[1], INFINITY);
    }
    const Tensor codes = run_naive(graph, x)[1];
    CHECK(identical(codes, graph.run_all(x)[1]));
    const float reciprocal = 1.0F / grid.scale[0];
    for (Index i = 0; i < x.size(); ++i) {
      CHECK(codes.data<std::int32_t>()[i] == clamped(x.data<float>()[i] / grid.scale[0], grid));
      reciprocal_differs += codes.data<std::int32_t>()[i] != clamped(x.data<float>()[i] * reciprocal, grid);
    }
  }
  CHECK(reciprocal_differs > 100);
}

TEST_CASE("rule of addition: two fused multiply-adds of offset codes") {
  Index separate_differs = 0, order_differs = 0;
  for (unsigned seed = 0; seed < 12; ++seed) {
    Dice dice(seed);
    const Grid a = unsigned_grid(8, dice.real(0.01F, 0.02F), static_cast<std::int32_t>(dice.integer(0, 40)));
    const Grid b = signed_grid(8, dice.real(0.01F, 0.02F));
    const Grid y = seed % 2 ? unsigned_grid(8, dice.real(0.02F, 0.03F), 60) : signed_grid(8, dice.real(0.02F, 0.04F));
    // Both operands come from one input [2] through a table, which moves element 1 to where b needs it: every pair of
    // codes.
    InferenceGraphBuilder builder({1, 1, 2});
    builder.set_layer_name("a");
    const GraphValue first = builder.quantize(builder.input(), activations(unsigned_grid(16, 1.0F)));
    const auto pick = [&](const char* name, float high, float low, const Grid& grid) {
      builder.set_layer_name(name);
      const WeightQuantizers quantizers = kernel_on(signed_grid(2, 1.0F));
      const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
      const Tensor bias = floats({1}, {static_cast<float>(grid.lo - grid.zero_point[0])});
      const GraphValue picked = builder.conv2d(first, {.padding = Padding::valid()},
                                               {"kernel", floats({1, 1, 2, 1}, {high, low})}, {"bias", bias});
      Grid unit = grid;
      unit.scale = {1.0F};
      builder.set_layer_name(message(name, "/codes"));
      const GraphValue codes = builder.quantize(picked, activations(unit));
      // The same codes on the wanted grid: x * scale is quantized exactly.
      builder.set_layer_name(message(name, "/scale"));
      const GraphValue scaled = builder.normalize(codes, floats({1}, {0}), floats({1}, {1.0F / grid.scale[0]}));
      builder.set_layer_name(message(name, "/out"));
      return builder.quantize(scaled, activations(grid));
    };
    const GraphValue left = pick("left", 1, 0, a), right = pick("right", 0, 1, b);
    builder.set_layer_name("sum");
    const InferenceGraph graph = builder.finish(builder.quantize(builder.add(left, right), activations(y)));
    Tensor x({65536, 1, 1, 2});
    for (Index i = 0; i < 65536; ++i) {
      x.data<float>()[2 * i] = static_cast<float>(i / 256);
      x.data<float>()[2 * i + 1] = static_cast<float>(i % 256);
    }
    const Executions run(graph, x);
    const std::vector<std::int32_t> codes_a = codes_in(run["left/out"]), codes_b = codes_in(run["right/out"]),
                                    found = codes_in(run["sum"]);
    const float r_a = a.scale[0] / y.scale[0], r_b = b.scale[0] / y.scale[0];
    const float z_a = static_cast<float>(a.zero_point[0] - a.lo), z_b = static_cast<float>(b.zero_point[0] - b.lo);
    const volatile float product_b = r_b * z_b;
    const float products = std::fma(r_a, z_a, product_b);
    const float rest = static_cast<float>(y.zero_point[0] - y.lo) - products;
    Index wrong = 0, misplaced = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      misplaced += codes_a[i] != static_cast<std::int32_t>(i / 256) + a.lo ||
                   codes_b[i] != static_cast<std::int32_t>(i % 256) + b.lo;
      const float u_a = static_cast<float>(codes_a[i] - a.lo), u_b = static_cast<float>(codes_b[i] - b.lo);
      const auto code = [&](float level) {
        return std::clamp(static_cast<std::int32_t>(std::nearbyint(level)) + y.lo, y.lo, y.hi);
      };
      const volatile float term_a = u_a * r_a, term_b = u_b * r_b;
      const volatile float inner = term_b + rest;
      wrong += found[i] != code(std::fma(u_a, r_a, std::fma(u_b, r_b, rest)));
      separate_differs += found[i] != code(term_a + inner);
      order_differs += found[i] != code(std::fma(u_b, r_b, std::fma(u_a, r_a, rest)));
    }
    CHECK(misplaced == 0);
    CHECK(wrong == 0);
  }
  CHECK(separate_differs > 0);
  CHECK(order_differs > 0);
}

TEST_CASE("rule of the global average: one multiplier") {
  Index divided_differs = 0;
  for (unsigned seed = 0; seed < 30; ++seed) {
    Dice dice(seed);
    const Grid in = unsigned_grid(8, dice.real(0.01F, 0.02F), 3),
               out = unsigned_grid(8, in.scale[0], 9);  // sum / 14: many ties
    InferenceGraphBuilder builder({2, 7, 1});
    builder.set_layer_name("in");
    const GraphValue x = builder.quantize(builder.input(), activations(in));
    builder.set_layer_name("mean");
    const InferenceGraph graph = builder.finish(builder.quantize(builder.global_average_pool2d(x), activations(out)));
    const Index most = 14 * 255;  // images with every possible sum of codes
    Tensor images({most + 1, 2, 7, 1});
    for (Index sum = 0; sum <= most; ++sum)
      for (Index p = 0; p < 14; ++p) {
        const Index code = std::clamp<Index>(sum - 255 * p, 0, 255);
        images.data<float>()[sum * 14 + p] = static_cast<float>(code - 3) * in.scale[0];
      }
    const Executions run(graph, images);
    const std::vector<std::int32_t> found = codes_in(run["mean"]);
    const volatile float divisor = out.scale[0] * 14.0F;
    const float multiplier = in.scale[0] / divisor;
    Index wrong = 0;
    for (Index sum = 0; sum <= most; ++sum) {
      const float centred = static_cast<float>(sum - 14 * 3);
      const std::int32_t code = found[static_cast<std::size_t>(sum)];
      wrong += code != clamped(centred * multiplier, out);
      const volatile float real = centred * in.scale[0];
      const volatile float mean = real / 14.0F;
      divided_differs += code != clamped(mean / out.scale[0], out);
    }
    CHECK(wrong == 0);
  }
  CHECK(divided_differs > 0);
}

TEST_CASE("rule of average pooling and concatenation: real values, divided") {
  Index folded_differs = 0, late_zero_differs = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    Dice dice(seed);
    const Grid in = unsigned_grid(6, dice.real(0.01F, 0.02F), 5),
               out = unsigned_grid(8, in.scale[0] / 1.5F, 9);  // many ties
    InferenceGraphBuilder builder({1, 2, 1});
    builder.set_layer_name("in");
    const GraphValue x = builder.quantize(builder.input(), activations(in));
    builder.set_layer_name("mean");
    const GraphValue mean = builder.quantize(builder.average_pool2d(x, {1, 2}, {}, Padding::valid()), activations(out));
    builder.set_layer_name("joined");
    const GraphValue both[] = {x, mean};
    const InferenceGraph graph = builder.finish(builder.quantize(builder.concat(both, 1), activations(out)));
    Tensor images({64 * 64, 1, 2, 1});
    for (Index i = 0; i < 64 * 64; ++i) {
      images.data<float>()[2 * i] = static_cast<float>(i / 64 - 5) * in.scale[0];
      images.data<float>()[2 * i + 1] = static_cast<float>(i % 64 - 5) * in.scale[0];
    }
    const Executions run(graph, images);
    const std::vector<std::int32_t> codes = codes_in(run["in"]), means = codes_in(run["mean"]),
                                    joined = codes_in(run["joined"]);
    Index wrong = 0;
    for (std::size_t i = 0; i < means.size(); ++i) {
      const volatile float first = static_cast<float>(codes[2 * i] - 5) * in.scale[0],
                           second = static_cast<float>(codes[2 * i + 1] - 5) * in.scale[0];
      const volatile float sum = first + second;
      const volatile float average = sum / 2.0F;
      const volatile float level = average / out.scale[0];
      const volatile float with_zero = level + 9.0F;  // before rounding: an odd zero point turns ties around
      wrong += means[i] != static_cast<std::int32_t>(std::clamp(std::nearbyint(with_zero), 0.0F, 255.0F));
      late_zero_differs += means[i] != clamped(level, out);
      wrong += joined[3 * i] != clamped(first / out.scale[0], out) ||
               joined[3 * i + 1] != clamped(second / out.scale[0], out);
      const volatile float ratio = in.scale[0] / out.scale[0];
      folded_differs += joined[3 * i] != clamped(static_cast<float>(codes[2 * i] - 5) * ratio, out);
      wrong += joined[3 * i + 2] != means[i];
    }
    CHECK(wrong == 0);
  }
  CHECK(folded_differs > 0);
  CHECK(late_zero_differs > 0);
}

TEST_CASE("rule of a layer: the accumulator as float32 times one float32 multiplier") {
  Index double_differs = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    Dice dice(seed);
    const float s_x = dice.real(0.01F, 0.02F), s_w = dice.real(0.01F, 0.02F), s_y = dice.real(0.0001F, 0.0002F);
    const Grid out{16, 0, 65535, {s_y}, {700}, std::nullopt};
    InferenceGraphBuilder builder({1});
    builder.set_layer_name("in");
    const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(16, s_x)));
    builder.set_layer_name("fc");
    const WeightQuantizers quantizers = kernel_on(unsigned_grid(8, s_w));
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    const GraphValue y = builder.dense(x, {"kernel", floats({1, 1}, {s_w})}, {"bias", {}});
    builder.set_layer_name("out");
    const InferenceGraph graph = builder.finish(builder.quantize(y, activations(out)));
    Tensor images({65536, 1});
    for (Index i = 0; i < 65536; ++i) images.data<float>()[i] = static_cast<float>(i) * s_x;
    const Executions run(graph, images);
    const std::vector<std::int32_t> codes = codes_in(run["in"]), found = codes_in(run["out"]);
    const volatile float unit = s_x * s_w;
    const float multiplier = unit / s_y;
    const double exact = static_cast<double>(s_x) * s_w / s_y;
    Index wrong = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      wrong += found[i] != clamped(static_cast<float>(codes[i]) * multiplier, out);
      const double level = std::nearbyint(codes[i] * exact) + 700;
      double_differs += found[i] != static_cast<std::int32_t>(std::clamp(level, 0.0, 65535.0));
    }
    CHECK(wrong == 0);
  }
  CHECK(double_differs > 0);
}
