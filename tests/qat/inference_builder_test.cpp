#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/batch_norm_fold.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>

#include <qat/executors.hpp>
#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Shorthand around the builder: every call is a layer of its own.
struct Net {
  explicit Net(const Shape& input) : builder(input), value(builder.input()) {}

  Net& hold(const std::string& name, const Grid& grid = unsigned_grid(8, 0.05F)) {
    builder.set_layer_name(name);
    value = builder.quantize(value, activations(grid));
    return *this;
  }
  Net& conv(const std::string& name, Index filters, const std::optional<Grid>& grid = signed_grid(4, 0.1F),
            Tensor bias = {}) {
    builder.set_layer_name(name);
    const Shape shape{3, 3, builder.shape(value)[2], filters};
    const WeightQuantizers quantizers = grid ? kernel_on(*grid) : WeightQuantizers();
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    value =
        builder.conv2d(value, {.padding = Padding::same()}, {"kernel", Dice(1).tensor(shape, -1, 1)}, {"bias", bias});
    return *this;
  }
  Net& norm(const std::string& name) {
    builder.set_layer_name(name);
    const Shape channels{builder.shape(value)[-1]};
    Dice dice(4);
    value = builder.batch_norm(value, dice.tensor(channels, 0.5F, 2), dice.tensor(channels, -1, 1),
                               dice.tensor(channels, -1, 1), dice.tensor(channels, 0.1F, 1), 1e-3F);
    return *this;
  }
  Net& relu(const std::string& name) {
    builder.set_layer_name(name);
    value = builder.clamp(value, 0, infinity);
    return *this;
  }
  Net& max_pool(const std::string& name) {
    builder.set_layer_name(name);
    value = builder.max_pool2d(value, {2, 2}, {2, 2}, Padding::valid());
    return *this;
  }
  Net& flatten(const std::string& name) {
    builder.set_layer_name(name);
    value = builder.reshape(value, {builder.shape(value).size()});
    return *this;
  }
  Net& function(const std::string& name, ElementwiseFunction f = ElementwiseFunction::sigmoid) {
    builder.set_layer_name(name);
    if (f == ElementwiseFunction::leaky_relu)
      value = builder.leaky_relu(value, 0.25F);
    else
      value = f == ElementwiseFunction::pow ? builder.pow(value, 1.5F) : builder.elementwise(value, f);
    return *this;
  }
  InferenceGraph graph() const { return builder.finish(value); }

  InferenceGraphBuilder builder;
  GraphValue value;
};

/// "conv1:integer_conv2d>relu1/out ..." with the tensor that each node writes.
std::string outline(const InferenceGraph& graph) {
  std::string text;
  for (const GraphNode& node : graph.nodes)
    text += (text.empty() ? "" : " ") + node.name + ":" + std::string(name_of(node.operation)) + ">" +
            graph.tensors[static_cast<std::size_t>(node.output)].name;
  return text;
}

}  // namespace

TEST_CASE("conv, batch norm, relu and quantizer become one integer convolution") {
  Net net({4, 4, 2});
  net.hold("in").conv("conv1", 3).norm("bn1").relu("relu1").hold("relu1/out");
  CHECK(outline(net.graph()) == "in:quantize>in conv1:integer_conv2d>relu1/out");
  CHECK(net.graph().tensors[0].name == "input");
  CHECK(net.graph().integer_input() == 1);
}

TEST_CASE("without a quantizer behind it the fold stays and the output is float32") {
  Net net({4, 4, 2});
  net.hold("in").conv("conv1", 3).norm("bn1");
  CHECK(outline(net.graph()) == "in:quantize>in conv1:integer_conv2d>bn1");
  net.relu("relu1");
  CHECK(outline(net.graph()) == "in:quantize>in conv1:integer_conv2d>bn1 relu1:float_clamp>relu1");
  Net plain({4, 4, 2});
  plain.hold("in").conv("conv1", 3);
  CHECK(outline(plain.graph()) == "in:quantize>in conv1:integer_conv2d>conv1");
}

TEST_CASE("max pooling and reshaping between layer and quantizer move behind it") {
  Net net({4, 4, 2});
  net.hold("in").conv("conv1", 3).max_pool("pool1").relu("relu1").flatten("flat").hold("relu1/out");
  CHECK(outline(net.graph()) ==
        "in:quantize>in conv1:integer_conv2d>conv1 pool1:max_pool2d>pool1 flat:reshape>relu1/out");
  const InferenceGraph graph = net.graph();
  const auto& weights = std::get<IntegerConv2D>(graph.nodes[1].operation).weights;
  CHECK(weights.clamp_lo == 0);
}

TEST_CASE("operations on codes keep their grid") {
  Net net({4, 4, 2});
  net.hold("in", unsigned_grid(5, 0.25F, 3)).max_pool("pool").flatten("flat");
  const InferenceGraph graph = net.graph();
  CHECK(outline(graph) == "in:quantize>in pool:max_pool2d>pool flat:reshape>flat");
  for (std::size_t t = 1; t < graph.tensors.size(); ++t) CHECK(graph.tensors[t].grid == unsigned_grid(5, 0.25F, 3));
  // The caller gets real values.
  CHECK(values_in(graph.run(Tensor::full({1, 4, 4, 2}, 0.5))) == std::vector<float>(8, 0.5F));
  CHECK(codes_in(graph.run_integer(Tensor::full({1, 4, 4, 2}, 7, DType::int32))) == std::vector<std::int32_t>(8, 7));
}

TEST_CASE("values that somebody else reads are not fused away") {
  Net net({4, 4, 3});
  net.hold("in").conv("conv1", 3);
  const GraphValue convolved = net.value;
  net.relu("relu1").hold("relu1/out");
  const GraphValue held = net.value;
  net.builder.set_layer_name("sum");
  const InferenceGraph graph = net.builder.finish(net.builder.add(held, convolved));
  CHECK(outline(graph) ==
        "in:quantize>in conv1:integer_conv2d>conv1 relu1:float_clamp>relu1 relu1/out:quantize>relu1/out "
        "relu1/out/dequantize:dequantize>relu1/out/dequantized sum:float_add>sum");
  // The graph's output is read, too.
  CHECK(outline(net.builder.finish(convolved)) == "in:quantize>in conv1:integer_conv2d>conv1");
  Net branch({4, 4, 3});
  branch.hold("in").conv("conv1", 3).norm("bn");
  const GraphValue normed = branch.value;
  branch.relu("relu").hold("out");
  const GraphValue values[] = {branch.value, normed};
  CHECK(outline(branch.builder.finish(branch.builder.concat(values, 2)))
            .starts_with("in:quantize>in conv1:integer_conv2d>bn relu:float_clamp"));
}

TEST_CASE("dead branches leave no trace") {
  Net net({4, 4, 3});
  net.hold("in").conv("conv1", 3);
  const GraphValue convolved = net.value;
  net.function("unused");
  net.value = convolved;
  net.hold("conv1/out");
  CHECK(outline(net.graph()) == "in:quantize>in conv1:integer_conv2d>conv1/out");
}

TEST_CASE("functions of codes become tables") {
  Net net({4, 4, 3});
  net.hold("in").function("sigmoid").hold("sigmoid/out");
  CHECK(outline(net.graph()) == "in:quantize>in sigmoid:integer_table>sigmoid/out");
  net.relu("relu").hold("again", unsigned_grid(3, 0.1F));
  CHECK(outline(net.graph()) == "in:quantize>in sigmoid:integer_table>sigmoid/out relu:integer_table>again");
  for (const auto f : {ElementwiseFunction::tanh, ElementwiseFunction::gelu, ElementwiseFunction::hard_sigmoid,
                       ElementwiseFunction::hard_swish, ElementwiseFunction::leaky_relu, ElementwiseFunction::pow}) {
    Net one({4, 4, 3});
    one.hold("in").function("f", f).hold("out");
    const InferenceGraph graph = one.graph();
    CHECK(outline(graph) == "in:quantize>in f:integer_table>out");
    const auto& table = std::get<IntegerTable>(graph.nodes.back().operation);
    CHECK(inference::elementwise_function(table.function) == f);
  }
  net.hold("finer", unsigned_grid(8, 0.01F));
  CHECK(std::get<IntegerTable>(net.graph().nodes.back().operation).function == "requantize");
  Net pooled({4, 4, 3});
  pooled.hold("in").relu("relu").max_pool("pool").hold("out");
  CHECK(outline(pooled.graph()) == "in:quantize>in relu:integer_table>relu pool:max_pool2d>out");
  Net mixed({4, 4, 3});  // |x| does not commute with a maximum
  mixed.hold("in", signed_grid(8, 0.1F)).function("abs", ElementwiseFunction::abs).max_pool("pool").hold("out");
  CHECK(outline(mixed.graph()) ==
        "in:quantize>in in/dequantize:dequantize>in/dequantized abs:float_elementwise>abs pool:max_pool2d>pool "
        "out:quantize>out");
}

TEST_CASE("a choice between values of one grid copies codes, of two grids it is left in float32") {
  const auto graph_of = [](const Grid& second) {
    InferenceGraphBuilder builder({1, 2, 2});
    const GraphValue x = builder.input();
    builder.set_layer_name("a");
    const GraphValue a = builder.quantize(x, activations(unsigned_grid(4, 1.0F, 2)));
    builder.set_layer_name("b");
    const GraphValue b = builder.quantize(builder.clamp(a, 0, 3), activations(second));
    builder.set_layer_name("where");
    const GraphValue y = builder.where(floats({1, 2, 2}, {1, 0, 0, 1}), a, b);
    builder.set_layer_name("out");
    return builder.finish(builder.quantize(y, activations(unsigned_grid(3, 2.0F))));
  };
  const InferenceGraph same = graph_of(unsigned_grid(4, 1.0F, 2)), other = graph_of(unsigned_grid(4, 1.0F, 1));
  CHECK(outline(same) == "a:quantize>a b:integer_table>b where:where>where out:integer_table>out");
  CHECK_THAT(outline(other), Catch::Contains("where:float_where>where out:quantize>out"));
  const Tensor x = floats({2, 1, 2, 2}, {8, 8, 8, 8, -1, -1, 2, 6});
  by_all_executors(same, x);
  for (const InferenceGraph* graph : {&same, &other})
    CHECK(values_in(graph->run(x)) == std::vector<float>{8, 4, 4, 8, 0, 0, 2, 6});
  InferenceGraphBuilder builder({2});
  builder.set_layer_name("where");
  CHECK_THROWS_WITH(builder.where(floats({2}, {1, 0.5F}), builder.input(), builder.input()),
                    Catch::Contains("\"where\": the mask holds 0.5, expected 0 and 1"));
  CHECK_THROWS_WITH(builder.where(floats({1}, {1}), builder.input(), builder.input()), Catch::Contains("mask is"));
}

TEST_CASE("normalisation of codes is a table per channel") {
  InferenceGraphBuilder builder({2, 1, 2});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(2, 1.0F)));
  builder.set_layer_name("normalize");
  const GraphValue y = builder.normalize(x, floats({2}, {1, 0}), floats({2}, {0.5F, 2}));
  builder.set_layer_name("out");
  const InferenceGraph graph = builder.finish(builder.quantize(y, activations(signed_grid(4, 1.0F))));
  const auto& table = std::get<IntegerTable>(graph.nodes.back().operation);
  CHECK(table.codes.shape() == Shape{2, 4});
  CHECK(codes_in(table.codes) == std::vector<std::int32_t>{-2, 0, 2, 4, 0, 0, 1, 2});  // 0.5 to 0, 1.5 to 2
  CHECK(values_in(graph.run(floats({1, 2, 1, 2}, {0, 3, 3, 2}))) == std::vector<float>{-2, 2, 4, 1});
  CHECK(codes_in(table.codes)[7] == 2);
}

TEST_CASE("layers with quantizers on one side only stay in float32, on their grid") {
  Net weight_only({4, 4, 2});
  weight_only.conv("conv1", 3).norm("bn1").hold("out");
  const InferenceGraph graph = weight_only.graph();
  CHECK(outline(graph) == "conv1:float_conv2d>conv1 bn1:float_batch_norm>bn1 out:quantize>out");
  for (const float w : values_in(std::get<FloatConv2D>(graph.nodes[0].operation).kernel)) {
    const float level = w / 0.1F;
    CHECK(std::abs(level - std::round(level)) < 1e-5F);
    CHECK(level > -8.01F);
    CHECK(level < 7.01F);
  }
  Net activation_only({4, 4, 2});
  activation_only.hold("in").conv("conv1", 3, std::nullopt).hold("out");
  CHECK(outline(activation_only.graph()) ==
        "in:quantize>in in/dequantize:dequantize>in/dequantized conv1:float_conv2d>conv1 out:quantize>out");
  CHECK_THROWS_AS(activation_only.graph().run_integer(Tensor::zeros({1, 4, 4, 2}, DType::int32)), NotImplementedError);
}

TEST_CASE("batch norm in float keeps negative gammas") {
  InferenceGraphBuilder builder({2});
  const GraphValue y = builder.batch_norm(builder.input(), floats({2}, {-2, 3}), floats({2}, {1, 0}),
                                          floats({2}, {0.5F, 1}), floats({2}, {4, 9}), 0);
  CHECK(values_in(builder.finish(y).run(floats({1, 2}, {2, 2}))) == std::vector<float>{-0.5F, 1});
}

TEST_CASE("fold: scales, biases and multipliers") {
  InferenceGraphBuilder builder({1});
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.1F)));
  const WeightQuantizers quantizers = kernel_on(signed_grid(8, 0.02F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  GraphValue y = builder.dense(x, {"kernel", floats({1, 2}, {0.5F, -0.3F})}, {"bias", floats({2}, {0.25F, -0.5F})});
  const Tensor gamma = floats({2}, {1.5F, 1e-6F}), beta = floats({2}, {0.3F, 0.7F}), mean = floats({2}, {-0.4F, 0.9F}),
               variance = floats({2}, {0.6F, 1.7F});
  y = builder.batch_norm(y, gamma, beta, mean, variance, 1e-3F);
  const InferenceGraph graph = builder.finish(builder.quantize(y, activations(unsigned_grid(4, 0.3F))));
  const IntegerWeights& weights = std::get<IntegerDense>(graph.nodes[1].operation).weights;
  const volatile float root = std::sqrt(0.6F + 1e-3F);
  const float gain[] = {1.5F / root, minimum_gain};
  const double offset[] = {(0.25 + static_cast<double>(0.4F)) * gain[0] + static_cast<double>(0.3F),
                           (-0.5 - static_cast<double>(0.9F)) * gain[1] + static_cast<double>(0.7F)};
  CHECK(codes_in(weights.codes) == std::vector<std::int32_t>{25, -15});
  REQUIRE(weights.grid.scale.size() == 2);
  CHECK(weights.grid.channel_axis == -1);
  for (std::size_t c = 0; c < 2; ++c) {
    const volatile float scale = 0.02F * gain[c];
    const volatile float unit = 0.1F * scale;
    const volatile float multiplier = unit / 0.3F;
    CHECK(weights.grid.scale[c] == scale);
    CHECK(codes_in(weights.bias)[c] ==
          static_cast<std::int32_t>(
              std::nearbyint(static_cast<double>(static_cast<float>(offset[c])) / static_cast<double>(unit))));
    CHECK(weights.multiplier[c] == multiplier);
  }
}

TEST_CASE("a bias that does not fit int32 names layer and channel") {
  Net net({4, 4, 2});
  net.hold("in", unsigned_grid(8, 0x1p-14F))
      .conv("block1/conv2", 3, signed_grid(4, 0x1p-14F), floats({3}, {0, 8.0F, 1.0F}))
      .hold("out");
  CHECK_THROWS_WITH(
      net.graph(), Catch::Contains("block1/conv2") && Catch::Contains("bias of channel 1") && Catch::Contains("int32"));
  Net fits({4, 4, 2});
  fits.hold("in", unsigned_grid(8, 0x1p-14F))
      .conv("conv", 3, signed_grid(4, 0x1p-14F), floats({3}, {0, 7.5F, 1.0F}))
      .hold("out");
  CHECK(codes_in(std::get<IntegerConv2D>(fits.graph().nodes[1].operation).weights.bias)[1] == 2013265920);
  Net nan({4, 4, 2});
  nan.hold("in").conv("conv", 1, signed_grid(4, 1), floats({1}, {NAN})).hold("out");
  CHECK_THROWS_AS(nan.graph(), ValueError);
}

TEST_CASE("scales that leave float32 and accumulators that leave int32 name layer and channel") {
  Grid tiny = signed_grid(4, 1e-30F);
  Net net({4, 4, 2});
  net.hold("in", unsigned_grid(8, 1e-30F)).conv("conv1", 2, tiny).hold("out");
  CHECK_THROWS_WITH(net.graph(),
                    Catch::Contains("conv1") && Catch::Contains("channel 0") && Catch::Contains("finite positive"));
  InferenceGraphBuilder builder({100});
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(16, 1)));
  builder.set_layer_name("wide");
  const WeightQuantizers quantizers = kernel_on(signed_grid(16, 1));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  Tensor kernel = Tensor::zeros({100, 2});
  for (Index i = 0; i < 100; ++i) kernel.at<float>({i, 1}) = 30000;
  const GraphValue y = builder.dense(x, {"kernel", kernel}, {"bias", {}});
  CHECK_THROWS_WITH(builder.finish(y), Catch::Contains("wide") && Catch::Contains("accumulator of channel 1") &&
                                           Catch::Contains("196605000000"));
}

TEST_CASE("the builder refuses what does not fit, naming the layer") {
  InferenceGraphBuilder builder({4, 4, 2});
  builder.set_layer_name("here");
  const GraphValue x = builder.input();
  CHECK_THROWS_AS(builder.shape({7}), ValueError);
  CHECK_THROWS_AS(builder.finish({-1}), ValueError);
  CHECK_THROWS_AS(builder.conv2d(x, {.padding = Padding::same()}, {"kernel", Tensor({3, 3, 5, 1})}, {"bias", {}}),
                  ShapeError);
  CHECK_THROWS_AS(builder.conv2d(x, {.padding = Padding::same()}, {"kernel", {}}, {"bias", {}}), ShapeError);
  CHECK_THROWS_WITH(
      builder.conv2d(x, {.padding = Padding::same()}, {"kernel", Tensor({3, 3, 2, 4})}, {"bias", Tensor({3})}),
      Catch::Contains("here") && Catch::Contains("bias") && Catch::Contains("(4)"));
  CHECK_THROWS_WITH(builder.dense(x, {"kernel", Tensor({2, 3})}, {"bias", {}}), Catch::Contains("here"));
  CHECK_THROWS_WITH(builder.batch_norm(x, Tensor({2}), Tensor({2}), Tensor({3}), Tensor({2}), 0),
                    Catch::Contains("mean"));
  CHECK_THROWS_WITH(builder.normalize(x, Tensor::zeros({1}), Tensor::zeros({2})), Catch::Contains("deviation"));
  CHECK_THROWS_WITH(builder.clamp(x, 1, 0), Catch::Contains("1..0"));
  CHECK_THROWS_AS(builder.clamp(x, NAN, 0), ValueError);
  CHECK_THROWS_AS(builder.reshape(x, {3}), ShapeError);
  CHECK_THROWS_AS(builder.pad2d(x, Padding::same()), ShapeError);
  CHECK_THROWS_AS(builder.pad2d(x, Padding::explicit_(0, 0, -1, 0)), ValueError);
  CHECK_THROWS_AS(builder.add(x, builder.global_average_pool2d(x)), ShapeError);
  CHECK_THROWS_AS(builder.concat({}, 0), ShapeError);
  CHECK_THROWS_AS(builder.global_average_pool2d(builder.reshape(x, {32})), ShapeError);

  Grid per_channel = unsigned_grid(8, 1);
  per_channel.scale = {1, 2};
  per_channel.zero_point = {0, 0};
  per_channel.channel_axis = -1;
  CHECK_THROWS_WITH(builder.quantize(x, activations(per_channel)),
                    Catch::Contains("here") && Catch::Contains("per tensor"));
  CHECK_THROWS_WITH(builder.quantize(x, GridQuantizer(QuantizationTarget::Weights, unsigned_grid(8, 1))),
                    Catch::Contains("GridQuantizer"));
  CHECK_THROWS_WITH(builder.quantize(x, activations(unsigned_grid(4, 1, 16))), Catch::Contains("zero"));
  CHECK_THROWS_AS(builder.quantize(x, activations(unsigned_grid(4, NAN))), ValueError);
}

TEST_CASE("a batch norm with a negative gamma is not folded: no scale can be negative") {
  for (const bool held : {true, false}) {
    Net net({4, 4, 2});
    net.hold("in").conv("conv", 2);
    net.builder.set_layer_name("scale");
    net.value = net.builder.batch_norm(net.value, floats({2}, {-2, 0.5F}), floats({2}, {0, 0}), floats({2}, {0, 0}),
                                       floats({2}, {1, 1}), 0);
    if (held) net.hold("out");
    const InferenceGraph graph = net.graph();
    CHECK(outline(graph) == "in:quantize>in conv:integer_conv2d>conv scale:float_batch_norm>scale" +
                                std::string(held ? " out:quantize>out" : ""));
    const std::vector<Tensor> values = graph.run_all(Dice(3).tensor({2, 4, 4, 2}, 0, 3));
    for (Index i = 0; i < values[2].size(); ++i)
      CHECK(values[3].data<float>()[i] == values[2].data<float>()[i] * (i % 2 == 0 ? -2.0F : 0.5F));
  }
}

TEST_CASE("weight scopes: what has a quantizer must be used, of nested ones the innermost counts") {
  Dice dice(1);
  const Tensor kernel = dice.tensor({2, 3}, -1, 1), bias = dice.tensor({3}, -1, 1);
  InferenceGraphBuilder builder({2});
  builder.set_layer_name("fc");
  GraphValue y;
  {
    const WeightQuantizers quantizers = {
        {"gamma", std::make_shared<GridQuantizer>(QuantizationTarget::Weights, signed_grid(4, 1))}};
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    y = builder.dense(builder.input(), {"kernel", kernel}, {"bias", bias});
  }
  CHECK_THROWS_WITH(builder.finish(y), Catch::Contains("fc") && Catch::Contains("gamma"));

  const WeightQuantizers coarse = kernel_on(signed_grid(2, 1)), fine = kernel_on(signed_grid(8, 0.01F));
  InferenceGraphBuilder nested({2});
  GraphValue x = nested.quantize(nested.input(), activations(unsigned_grid(8, 0.1F)));
  {
    const InferenceGraphBuilder::WeightScope outer(nested, coarse);
    {
      const InferenceGraphBuilder::WeightScope inner(nested, fine);
      x = nested.dense(x, {"kernel", kernel}, {"bias", {}});
    }
    y = nested.dense(x, {"kernel", dice.tensor({3, 2}, -1, 1)}, {"bias", {}});
  }
  const InferenceGraph graph = nested.finish(y);
  CHECK(std::get<IntegerDense>(graph.nodes[1].operation).weights.grid.bits == 8);
  CHECK(std::get<FloatDense>(graph.nodes[2].operation).kernel.at<float>({0, 0}) ==
        std::nearbyint(std::get<FloatDense>(graph.nodes[2].operation).kernel.at<float>({0, 0})));
}

TEST_CASE("a bias with a quantizer of its own ships as the whole number of accumulator steps nearest to it") {
  const Tensor kernel = floats({1, 2}, {0.5F, -0.25F}), bias = floats({2}, {0.30F, -1.0F});
  // Input step 1/8, kernel step 1/16: accumulators count 1/128. The bias' own step is 1/32: 0.3 becomes 10/32, or
  // 40/128.
  const auto graph_with = [&](const Grid& input, const Grid& own) {
    InferenceGraphBuilder builder({1});
    builder.set_layer_name("fc");
    const GraphValue x = builder.quantize(builder.input(), activations(input));
    WeightQuantizers quantizers = kernel_on(signed_grid(4, 1.0F / 16));
    quantizers.emplace("bias", std::make_shared<GridQuantizer>(QuantizationTarget::Weights, own));
    GraphValue y;
    {
      const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
      y = builder.dense(x, {"kernel", kernel}, {"bias", bias});
    }
    return builder.finish(y);
  };
  const Grid eighths = unsigned_grid(8, 0.125F);
  const InferenceGraph graph = graph_with(eighths, signed_grid(6, 1.0F / 32));
  CHECK(codes_in(std::get<IntegerDense>(graph.nodes[1].operation).weights.bias) == std::vector<std::int32_t>{40, -128});
  CHECK(values_in(graph.run(floats({1, 1}, {0}))) == std::vector<float>{0.3125F, -1});
  // Its own grid's range counts: 3 bits of 1/32 end at 3/32.
  CHECK(codes_in(
            std::get<IntegerDense>(graph_with(eighths, signed_grid(3, 1.0F / 32)).nodes[1].operation).weights.bias) ==
        std::vector<std::int32_t>{12, -16});

  // 30 and -100 steps of 0.01 are 38.4 and -128 of 1/128.
  CHECK(codes_in(std::get<IntegerDense>(graph_with(eighths, signed_grid(8, 0.01F)).nodes[1].operation).weights.bias) ==
        std::vector<std::int32_t>{38, -128});

  // Behind a float input the layer stays in float32, with the quantized bias.
  InferenceGraphBuilder builder({1});
  const WeightQuantizers own{
      {"bias", std::make_shared<GridQuantizer>(QuantizationTarget::Weights, signed_grid(6, 1.0F / 32))}};
  const InferenceGraphBuilder::WeightScope scope(builder, own);
  const GraphValue y = builder.dense(builder.input(), {"kernel", kernel}, {"bias", bias});
  CHECK(values_in(builder.finish(y).run(floats({1, 1}, {0}))) == std::vector<float>{0.3125F, -1});
}

TEST_CASE("scales along an inner axis cannot become an integer layer") {
  Grid grid = signed_grid(4, 1);
  grid.scale = {1, 2};
  grid.zero_point = {0, 0};
  grid.channel_axis = 2;
  Net net({4, 4, 2});
  net.hold("in").conv("conv1", 3, grid).hold("out");
  CHECK_THROWS_WITH(net.graph(), Catch::Contains("conv1") && Catch::Contains("axis 2"));
  grid.channel_axis = -2;
  Net weight_only({4, 4, 2});
  weight_only.conv("conv1", 3, grid);
  CHECK(outline(weight_only.graph()) == "conv1:float_conv2d>conv1");
}

TEST_CASE("names are unique, and the layers' own come first") {
  Net net({4, 4, 2});
  net.hold("input").conv("conv", 2).hold("conv").conv("conv", 2).hold("conv");
  CHECK(outline(net.graph()) == "input:quantize>input/2 conv:integer_conv2d>conv conv/2:integer_conv2d>conv/2");
}

TEST_CASE("a float model lowers to a float graph that computes what the model computes") {
  Model model =
      Sequential(Conv2D({.filters = 4, .kernel = 3}), BatchNorm(), ReLU(), MaxPool2D(), Flatten(), Dense({.units = 5}));
  CHECK_THROWS_AS(convert2inferable(model), StateError);
  model.build({8, 8, 2}, 3);
  const Tensor x = Dice(2).tensor({9, 8, 8, 2}, -1, 1);
  const InferenceGraph graph = convert2inferable(model);
  const Tensor expected = model.forward(Variable(x)).value(), found = evaluate(model, x);
  REQUIRE(found.shape() == expected.shape());
  for (Index i = 0; i < found.size(); ++i)
    CHECK(found.data<float>()[i] == Approx(expected.data<float>()[i]).margin(1e-5));
  // The graph owns its weights: training on does not change it.
  const Tensor before = graph.run(x);
  for (const NamedParameter& p : model.parameters()) p.parameter->value().fill(0.5);
  CHECK(identical(graph.run(x), before));
}
