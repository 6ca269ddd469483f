#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/qat/inference/verify.hpp>

#include <qat/executors.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

TEST_CASE("both engines and the naive executor agree code by code on random networks") {
  std::map<std::string, int> operations;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const InferenceGraph graph = RandomNetwork(seed, seed % 3 == 2 ? 16 : 8).build();
    INFO("seed " << seed);
    by_all_executors(graph, image_batch(graph, 1 + seed % 4, seed));
    for (const GraphNode& node : graph.nodes) ++operations[std::string(name_of(node.operation))];
  }
  // Every integer operation took part, and none was left in float32.
  for (const char* name : {"integer_conv2d", "integer_dense", "integer_add", "integer_concat", "integer_average_pool2d",
                           "integer_global_average_pool2d", "integer_table", "quantize", "max_pool2d", "reshape",
                           "pad2d", "upsample2d", "insert_zeros2d"})
    CHECK(operations[name] > 5);
  for (const auto& [name, count] : operations) CHECK(name.substr(0, 6) != "float_");
}

namespace {

/// input → quantize "in" → dense (kernel on `weights`) → quantize "out"
struct DenseNet {
  Grid in, weights, out;
  Tensor kernel, bias;

  InferenceGraph graph(float low = -INFINITY, float high = INFINITY) const {
    InferenceGraphBuilder builder({kernel.dim(0)});
    builder.set_layer_name("in");
    const GraphValue x = builder.quantize(builder.input(), activations(in));
    builder.set_layer_name("dense");
    const WeightQuantizers quantizers = kernel_on(weights);
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    const GraphValue y = builder.clamp(builder.dense(x, {"kernel", kernel}, {"bias", bias}), low, high);
    builder.set_layer_name("out");
    return builder.finish(builder.quantize(y, activations(out)));
  }
};

/// Codes of one tensor by all executors, which must agree.
std::vector<std::int32_t> codes_at(const InferenceGraph& graph, const std::string& tensor, const Tensor& x) {
  return codes_in(by_all_executors(graph, x)[static_cast<std::size_t>(tensor_number(graph, tensor))]);
}

using Codes = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("dense: codes computed by hand") {
  const DenseNet net{unsigned_grid(4, 0.25F), signed_grid(4, 0.25F), unsigned_grid(4, 0.125F),
                     floats({2, 3}, {1, -0.5F, 0.5F, 0.25F, 0.75F, 0}), floats({3}, {0.125F, -0.3F, 0.0625F})};
  const InferenceGraph graph = net.graph();
  const auto& dense = std::get<IntegerDense>(node_writing(graph, "out").operation).weights;
  CHECK(codes_in(dense.codes) == Codes{4, -2, 2, 1, 3, 0});
  CHECK(codes_in(dense.bias) == Codes{2, -5, 1});  // -0.3 / 0.0625 = -4.8
  CHECK(dense.multiplier == std::vector<float>{0.5F, 0.5F, 0.5F});
  // x = 0.5, 1.0 has codes 2, 4: sums 14, 3, 5, halved 7, 1.5, 2.5
  CHECK(codes_at(graph, "in", floats({1, 2}, {0.5F, 1.0F})) == Codes{2, 4});
  CHECK(codes_at(graph, "out", floats({1, 2}, {0.5F, 1.0F})) == Codes{7, 2, 2});
  // 15, 0: sums 62, -35, 31: above the grid, below it, 15.5 is half way to 16, which is above
  CHECK(codes_at(graph, "out", floats({1, 2}, {99.0F, -99.0F})) == Codes{15, 0, 15});
}

TEST_CASE("zero points of input, weights and output") {
  Grid weights = unsigned_grid(3, 0.5F);
  weights.scale = {0.5F, 1.0F};
  weights.zero_point = {3, 5};
  weights.channel_axis = -1;
  const DenseNet net{
      unsigned_grid(4, 1.0F, 6), weights, unsigned_grid(4, 1.0F, 9), floats({2, 2}, {1, -1, -1.5F, 2}), {}};
  const InferenceGraph graph = net.graph();
  const auto& dense = std::get<IntegerDense>(node_writing(graph, "out").operation).weights;
  CHECK(codes_in(dense.codes) == Codes{5, 4, 0, 7});  // minus the zero points: 2, -1, -3, 2
  CHECK(codes_in(dense.bias) == Codes{0, 0});
  // x = -2, 3 has codes 4, 9; sums -4 - 9 = -13 and 2 + 6 = 8; halves of -13: -6.5 to -6; + 9
  CHECK(codes_at(graph, "out", floats({1, 2}, {-2, 3})) == Codes{3, 15});
}

TEST_CASE("activations narrow the codes: ReLU to the zero point, ReLU6 to six steps") {
  DenseNet net{signed_grid(8, 1.0F), signed_grid(4, 1.0F), unsigned_grid(8, 0.125F, 20), floats({1, 1}, {1}), {}};
  const auto weights = [&](float lo, float hi) {
    const InferenceGraph graph = net.graph(lo, hi);
    return std::get<IntegerDense>(node_writing(graph, "out").operation).weights;
  };
  CHECK(weights(0, INFINITY).clamp_lo == 20);
  CHECK(weights(0, INFINITY).clamp_hi == 255);
  CHECK(codes_at(net.graph(0, INFINITY), "out", floats({3, 1}, {-3, 0, 2})) == Codes{20, 20, 36});
  CHECK(weights(0, 6).clamp_hi == 68);
  CHECK(codes_at(net.graph(0, 6), "out", floats({3, 1}, {-3, 5, 7})) == Codes{20, 60, 68});
  net.out = unsigned_grid(8, 4.0F);  // 6 / 4 = 1.5 rounds to 2
  CHECK(weights(0, 6).clamp_hi == 2);
  net.out = unsigned_grid(8, 2.4F);  // 2.5 rounds to 2
  CHECK(weights(0, 6).clamp_hi == 2);
  net.out = unsigned_grid(2, 1.0F);
  CHECK(weights(0, 6).clamp_hi == 3);
  net.out = signed_grid(4, 1.0F);
  CHECK(weights(-2, 1).clamp_lo == -2);
}

TEST_CASE("convolution pads with the code of real zero") {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(4, 1.0F, 3)));
  builder.set_layer_name("conv");
  const WeightQuantizers quantizers = kernel_on(signed_grid(3, 1.0F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const GraphValue y =
      builder.conv2d(x, {.padding = Padding::same()}, {"kernel", floats({2, 2, 1, 1}, {1, 2, 3, -1})}, {"bias", {}});
  builder.set_layer_name("out");
  const InferenceGraph graph = builder.finish(builder.quantize(y, activations(signed_grid(8, 1.0F))));
  // x = 1 2 / 3 4, zeros to the right and below
  CHECK(codes_at(graph, "out", floats({1, 2, 2, 1}, {1, 2, 3, 4})) == Codes{1 + 4 + 9 - 4, 2 + 12, 3 + 8, 4});
}

TEST_CASE("a transposed convolution has the code of real zero between pixels, and the turned kernel") {
  InferenceGraphBuilder builder({1, 2, 1});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(4, 1.0F, 3)));
  builder.set_layer_name("transposed");
  const WeightQuantizers quantizers = kernel_on(signed_grid(3, 1.0F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const GraphValue y =
      builder.conv2d_transpose(x, {.stride = {1, 2}}, {"kernel", floats({1, 3, 1, 1}, {1, 2, 3})}, {"bias", {}});
  builder.set_layer_name("out");
  const InferenceGraph graph = builder.finish(builder.quantize(y, activations(signed_grid(8, 1.0F))));
  const Tensor image = floats({1, 1, 2, 1}, {1, -2});
  CHECK(codes_at(graph, "transposed/zeros", image) == Codes{4, 3, 1});
  CHECK(codes_at(graph, "out", image) == Codes{1, 2, 3 - 2, -4, -6});
  CHECK(codes_in(std::get<IntegerConv2D>(node_writing(graph, "out").operation).weights.codes) == Codes{3, 2, 1});
  CHECK(node_writing(graph, "out").name == "transposed");
}

TEST_CASE("logits stay float32 and are not rounded") {
  InferenceGraphBuilder builder({1});
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.1F)));
  builder.set_layer_name("logits");
  const WeightQuantizers quantizers = kernel_on(signed_grid(8, 0.3F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const InferenceGraph graph =
      builder.finish(builder.dense(x, {"kernel", floats({1, 2}, {3.0F, -0.6F})}, {"bias", floats({2}, {0.07F, 0})}));
  const float unit = 0.1F * 0.3F;
  CHECK(values_in(graph.run(floats({1, 1}, {0.5F}))) == std::vector<float>{52.0F * unit, -10.0F * unit});
  CHECK(values_in(graph.run_integer(Tensor::from({1, 1}, Codes{5}))) ==
        std::vector<float>{52.0F * unit, -10.0F * unit});
}

TEST_CASE("addition: the fused rule of an unsigned runtime") {
  const auto net = [](const Grid& a, const Grid& b, const Grid& y) {
    InferenceGraphBuilder builder({2});
    builder.set_layer_name("a");
    const GraphValue first = builder.quantize(builder.input(), activations(a));
    builder.set_layer_name("b");
    const GraphValue second = builder.quantize(first, activations(b));
    builder.set_layer_name("y");
    return builder.finish(builder.quantize(builder.clamp(builder.add(first, second), 0, INFINITY), activations(y)));
  };
  // Powers of two are exact in any form: 3.0 + 3.0 and -1.5 + -1.5, ReLU behind.
  const InferenceGraph exact = net(signed_grid(8, 0.5F), signed_grid(8, 0.25F), unsigned_grid(4, 1.0F, 2));
  CHECK(codes_at(exact, "y", floats({1, 2}, {3.0F, -1.5F})) == Codes{8, 2});

  const Grid a = unsigned_grid(8, 0.013F, 7), b = unsigned_grid(8, 0.0171F, 31), y = unsigned_grid(8, 0.0237F, 11);
  const InferenceGraph graph = net(a, b, y);
  const Tensor x = Dice(3).tensor({500, 2}, -0.5F, 3.5F);
  const Codes codes_a = codes_at(graph, "a", x), codes_b = codes_at(graph, "b", x), found = codes_at(graph, "y", x);
  const float ratio_a = 0.013F / 0.0237F, ratio_b = 0.0171F / 0.0237F;
  const float products = std::fma(ratio_a, 7.0F, ratio_b * 31.0F);
  Index naive_differs = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float inner = std::fma(static_cast<float>(codes_b[i]), ratio_b, 11.0F - products);
    const float level = std::nearbyint(std::fma(static_cast<float>(codes_a[i]), ratio_a, inner));
    CHECK(found[i] == std::clamp(static_cast<int>(level), 11, 255));
    const float real = static_cast<float>(codes_a[i] - 7) * 0.013F + static_cast<float>(codes_b[i] - 31) * 0.0171F;
    naive_differs +=
        std::abs(found[i] - std::clamp(static_cast<int>(std::nearbyint(real / 0.0237F)) + 11, 11, 255)) > 1;
  }
  CHECK(naive_differs == 0);
}

TEST_CASE("averages, concatenation, tables: codes computed by hand") {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(4, 0.5F, 2)));
  builder.set_layer_name("average");
  const GraphValue average = builder.quantize(builder.average_pool2d(x, {2, 2}, {1, 1}, Padding::same()),
                                              activations(unsigned_grid(4, 0.25F, 1)));
  builder.set_layer_name("global");
  const GraphValue global =
      builder.quantize(builder.global_average_pool2d(x), activations(unsigned_grid(8, 0.125F, 40)));
  builder.set_layer_name("square");
  const GraphValue square = builder.reshape(global, {1, 1, 1});
  builder.set_layer_name("wide");
  const GraphValue wide = builder.pad2d(square, Padding::explicit_(1, 0, 0, 1));
  builder.set_layer_name("joined");
  const GraphValue both[] = {average, wide};
  const GraphValue joined = builder.quantize(builder.concat(both, -1), activations(signed_grid(4, 0.5F)));
  builder.set_layer_name("table");
  const GraphValue table =
      builder.quantize(builder.elementwise(joined, ElementwiseFunction::abs), activations(unsigned_grid(3, 1.0F)));
  const InferenceGraph graph = builder.finish(table);
  // codes 3, 5, 0, 8 mean 0.5, 1.5, -1, 3
  const Tensor image = floats({1, 2, 2, 1}, {0.5F, 1.5F, -1.0F, 3.0F});
  CHECK(codes_at(graph, "in", image) == Codes{3, 5, 0, 8});
  // averages 1, 2.25, 1, 3: border windows count what they see
  CHECK(codes_at(graph, "average", image) == Codes{5, 10, 5, 13});
  // sum of q - z is 8; 0.5 / (0.125 * 4) = 1
  CHECK(codes_at(graph, "global", image) == Codes{48});
  CHECK(codes_at(graph, "wide", image) == Codes{40, 40, 48, 40});
  // averages over 0.5: 2, 4.5 to 4, 2, 6; the others 0, 0, 1.0 / 0.5 = 2, 0
  CHECK(codes_at(graph, "joined", image) == Codes{2, 0, 4, 0, 2, 2, 6, 0});
  // |1, 2, 1, 3| and 0, 0, 1, 0 on a grid of ones
  CHECK(codes_at(graph, "table", image) == Codes{1, 0, 2, 0, 1, 1, 3, 0});
  const auto& codes = std::get<IntegerTable>(node_writing(graph, "table").operation);
  CHECK(codes.function == "abs");
  // -8..7 times 0.5, |.|, half to even: 4 3.5 3 2.5 2 1.5 1 0.5 0 0.5 1 1.5 2 2.5 3 3.5
  CHECK(codes_in(codes.codes) == Codes{4, 4, 3, 2, 2, 2, 1, 0, 0, 0, 1, 2, 2, 2, 3, 4});
}

TEST_CASE("sums beyond float32 are taken in blocks, products beyond it in integers") {
  // Logits show every bit of an accumulator: large inputs and weights of one sign pass 2^24 soon, and odd sums need
  // their last bit.
  Dice dice(11);
  for (const int bits : {8, 12, 16}) {
    const Index k = bits == 16 ? 8 : 3000;
    const float reach = bits == 16 ? 15.9F : 0.9F;
    InferenceGraphBuilder builder({k});
    const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(bits, 1.0F)));
    builder.set_layer_name("fc");
    const WeightQuantizers quantizers = kernel_on(signed_grid(bits == 16 ? 12 : 8, 1.0F / 128));
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    const InferenceGraph graph = builder.finish(
        builder.dense(x, {"kernel", dice.tensor({k, 5}, reach / 2, reach)}, {"bias", dice.tensor({5}, -9, 9)}));
    const LayerCertificate certificate = certify(graph, node_writing(graph, "fc"));
    INFO(bits << " bits, worst accumulator " << certificate.worst_accumulator);
    CHECK(!certificate.float32_exact);
    CHECK(certificate.worst_accumulator > (std::int64_t{1} << 24));
    const Tensor images = dice.tensor({200, k}, 0, static_cast<float>((1 << bits) - 1));
    by_all_executors(graph, images);
  }
}

TEST_CASE("convolutions in blocks") {
  InferenceGraphBuilder builder({6, 5, 300});
  Dice dice(5);
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F, 9)));
  builder.set_layer_name("conv");
  const WeightQuantizers quantizers = kernel_on(signed_grid(8, 1.0F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const InferenceGraph graph =
      builder.finish(builder.conv2d(x, {.stride = {2, 1}, .padding = Padding::same()},
                                    {"kernel", dice.tensor({3, 3, 300, 3}, 60, 127)}, {"bias", {}}));
  CHECK(!certify(graph, node_writing(graph, "conv")).float32_exact);
  const Tensor images = dice.tensor({30, 6, 5, 300}, -9, 240);
  by_all_executors(graph, images);
}

TEST_CASE("float operations give a sample the same bytes in any batch") {
  Dice dice(8);
  InferenceGraphBuilder builder({6, 6, 3});
  GraphValue x = builder.conv2d(builder.input(), {.padding = Padding::same()},
                                {"kernel", dice.tensor({3, 3, 3, 5}, -1, 1)}, {"bias", dice.tensor({5}, -1, 1)});
  x = builder.batch_norm(x, dice.tensor({5}, -2, 2), dice.tensor({5}, -1, 1), dice.tensor({5}, -1, 1),
                         dice.tensor({5}, 0.1F, 1), 1e-3F);
  x = builder.reshape(builder.average_pool2d(x, {2, 2}, {2, 2}, Padding::valid()), {45});
  x = builder.dense(x, {"kernel", dice.tensor({45, 7}, -1, 1)}, {"bias", dice.tensor({7}, -1, 1)});
  const InferenceGraph graph = builder.finish(builder.softmax(x));
  const Tensor images = dice.tensor({33, 6, 6, 3}, -1, 1), all = graph.run(images);
  for (Index i = 0; i < 33; ++i) CHECK(identical(graph.run(images.rows(i, i + 1)), all.rows(i, i + 1)));
  for (Index i = 0; i < 33; ++i) {
    float sum = 0;
    for (Index c = 0; c < 7; ++c) sum += all.at<float>({i, c});
    CHECK(sum == Approx(1.0F));
  }
}

TEST_CASE("run refuses what is no batch of its input, and NaN") {
  const DenseNet net{
      unsigned_grid(4, 0.25F), signed_grid(4, 0.25F), unsigned_grid(4, 0.125F), floats({2, 1}, {1, 1}), {}};
  const InferenceGraph graph = net.graph();
  CHECK_THROWS_WITH(graph.run(floats({1, 3}, {1, 2, 3})), Catch::Contains("(1, 3)") && Catch::Contains("batch of (2)"));
  CHECK_THROWS_AS(graph.run(floats({2}, {1, 2})), ShapeError);
  CHECK_THROWS_AS(graph.run(Tensor()), ShapeError);
  CHECK_THROWS_WITH(graph.run(Tensor::zeros({1, 2}, DType::int32)), Catch::Contains("int32, expected float32"));
  Tensor x = Tensor::zeros({40, 2});
  x.at<float>({33, 1}) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(graph.run(x),
                    Catch::Contains("\"in\"") && Catch::Contains("element 1 of sample 33") && Catch::Contains("NaN"));
  CHECK_THROWS_WITH(run_naive(graph, x), Catch::Contains("element 1 of sample 33"));
  CHECK_THROWS_WITH(graph.run_integer(Tensor::full({1, 2}, 16, DType::int32)),
                    Catch::Contains("16") && Catch::Contains("0..15"));
  CHECK_THROWS_AS(graph.run_integer(floats({1, 2}, {1, 2})), ShapeError);
  // Infinities saturate.
  CHECK(codes_in(graph.run_all(floats({1, 2}, {INFINITY, -INFINITY}))[1]) == Codes{15, 0});
}

TEST_CASE("run_integer names the layer that is left in float32") {
  InferenceGraphBuilder builder({2});
  CHECK_THROWS_AS(builder.finish(builder.input()).run_integer(Tensor::zeros({1, 2}, DType::int32)),
                  NotImplementedError);
  builder.set_layer_name("a");
  const GraphValue a = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.1F)));
  builder.set_layer_name("soft");
  const GraphValue soft = builder.softmax(a);
  // A float tail behind the last codes is fine.
  CHECK(builder.finish(soft).run_integer(Tensor::zeros({1, 2}, DType::int32)).shape() == Shape{1, 2});
  builder.set_layer_name("b");
  const InferenceGraph island = builder.finish(builder.quantize(soft, activations(unsigned_grid(8, 0.1F))));
  CHECK_THROWS_WITH(island.run_integer(Tensor::zeros({1, 2}, DType::int32)),
                    Catch::Contains("\"soft\"") && Catch::Contains("float_softmax"));
  const InferenceGraph past = builder.finish(builder.add(builder.input(), soft));
  CHECK_THROWS_AS(past.run_integer(Tensor::zeros({1, 2}, DType::int32)), NotImplementedError);
}
