// Every kind of layer: what it computes in inference against the naive executor, its gradient, what it refuses.
#include <catch2/catch.hpp>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/layers/layers.hpp>

#include "naive_executor.hpp"

using namespace bitgrad;
using namespace support;
using Catch::Contains;

namespace {

struct Case {
  std::string name;
  LayerPtr layer;
  std::vector<Shape> inputs;  // per sample
};

template <class L>
LayerPtr make(L layer) {
  return std::make_unique<L>(std::move(layer));
}

std::vector<Case> cases() {
  std::vector<Case> result;
  const auto add = [&](std::string name, auto layer, std::vector<Shape> inputs) {
    result.push_back({std::move(name), make(std::move(layer)), std::move(inputs)});
  };
  add("conv 3x3 same", Conv2D({.filters = 4, .kernel = 3}), {{5, 6, 3}});
  add("conv stride 2 same, even image", Conv2D({.filters = 3, .kernel = 3, .stride = 2}), {{6, 4, 2}});
  add("conv {2, 3}, stride {1, 2}, valid, no bias",
      Conv2D({.filters = 2, .kernel = {2, 3}, .stride = {1, 2}, .padding = Padding::valid(), .bias = false}),
      {{4, 7, 3}});
  add("conv explicit padding", Conv2D({.filters = 2, .kernel = 3, .padding = Padding::explicit_(0, 2, 1, 0)}),
      {{4, 4, 1}});
  add("conv dilated {2, 3}", Conv2D({.filters = 3, .kernel = {2, 3}, .stride = {2, 1}, .dilation = {2, 3}}),
      {{5, 8, 2}});
  add("conv in 3 groups", Conv2D({.filters = 6, .kernel = 3, .padding = Padding::valid(), .groups = 3}), {{4, 5, 6}});
  add("depthwise 3x3", DepthwiseConv2D({.kernel = 3}), {{5, 4, 3}});
  add("depthwise of 2 outputs each, stride 2, no bias",
      DepthwiseConv2D({.kernel = {3, 2}, .depth_multiplier = 2, .stride = 2, .bias = false}), {{6, 5, 3}});
  add("depthwise dilated", DepthwiseConv2D({.kernel = 3, .padding = Padding::valid(), .dilation = {1, 2}}),
      {{4, 6, 2}});
  add("depthwise of one channel", DepthwiseConv2D({.kernel = 2}), {{3, 3, 1}});
  add("conv 1x1 on one pixel", Conv2D({.filters = 5, .kernel = 1}), {{1, 1, 2}});
  add("conv1d same", Conv1D({.filters = 4, .kernel = 3}), {{7, 3}});
  add("conv1d stride 2, valid, no bias",
      Conv1D({.filters = 3, .kernel = 4, .stride = 2, .padding = Padding::valid(), .bias = false}), {{9, 2}});
  add("conv1d causal, dilated",
      Conv1D({.filters = 2, .kernel = 3, .padding = Padding::explicit_(0, 0, 4, 0), .dilation = 2}), {{5, 2}});
  add("conv1d in 2 groups", Conv1D({.filters = 6, .kernel = 2, .groups = 2}), {{4, 4}});
  add("conv transpose 3x3, stride 2, same", Conv2DTranspose({.filters = 4, .kernel = 3, .stride = 2}), {{3, 4, 3}});
  add("conv transpose {2, 4}, stride {3, 2}, valid, no bias",
      Conv2DTranspose({.filters = 2, .kernel = {2, 4}, .stride = {3, 2}, .padding = Padding::valid(), .bias = false}),
      {{3, 2, 2}});
  add("conv transpose explicit padding, dilated",
      Conv2DTranspose(
          {.filters = 3, .kernel = 3, .stride = 2, .padding = Padding::explicit_(1, 0, 2, 3), .dilation = {1, 2}}),
      {{3, 4, 2}});
  add("conv transpose 1x1 on one pixel", Conv2DTranspose({.filters = 2, .kernel = 1}), {{1, 1, 3}});
  add("dense", Dense({.units = 4}), {{7}});
  add("dense 1 to 1 without bias", Dense({.units = 1, .bias = false}), {{1}});
  add("batch norm of images", BatchNorm(), {{3, 2, 4}});
  add("batch norm of vectors", BatchNorm({.epsilon = 0.1F}), {{5}});
  add("layer norm of images", LayerNorm(), {{3, 2, 5}});
  add("layer norm of vectors", LayerNorm({.epsilon = 0.1F}), {{7}});
  add("max pool", MaxPool2D(), {{5, 6, 2}});
  add("max pool 3, stride 2, same", MaxPool2D({.window = 3, .stride = 2, .padding = Padding::same()}), {{6, 5, 2}});
  add("average pool", AveragePool2D(), {{4, 6, 3}});
  add("average pool {1, 3} same", AveragePool2D({.window = {1, 3}, .stride = {1, 2}, .padding = Padding::same()}),
      {{3, 6, 2}});
  add("global average pool", GlobalAveragePool2D(), {{3, 5, 2}});
  add("upsampling", UpSampling2D(), {{3, 2, 2}});
  add("upsampling {3, 1}", UpSampling2D({.factor = {3, 1}}), {{2, 4, 3}});
  add("upsampling bilinear", UpSampling2D({.interpolation = Interpolation::bilinear}), {{3, 4, 2}});
  add("upsampling bilinear {3, 4}, one row", UpSampling2D({.factor = {3, 4}, .interpolation = Interpolation::bilinear}),
      {{1, 3, 1}});
  add("relu", ReLU(), {{3, 4}});
  add("sigmoid", Sigmoid(), {{3, 4}});
  add("tanh", Tanh(), {{3, 4}});
  add("gelu", GELU(), {{3, 4}});
  add("hard sigmoid", HardSigmoid(), {{3, 4}});
  add("hard swish", HardSwish(), {{3, 4}});
  add("leaky relu", LeakyReLU({.slope = 0.2F}), {{3, 4}});
  add("square", Pow(), {{3, 4}});
  add("cube", Pow({.exponent = 3}), {{3, 4}});
  add("softmax", Softmax(), {{5}});
  add("log softmax of rows", LogSoftmax(), {{2, 3}});
  add("flatten", Flatten(), {{2, 3, 2}});
  add("reshape", Reshape({.shape = {4, 3, 1}}), {{2, 6}});
  add("add", Add(), {{2, 3}, {2, 3}});
  const Tensor mask = Tensor::from({2, 3}, {1, 0, 0, -2, 1, 0});
  add("where", Where({.mask = mask}), {{2, 3}, {2, 3}});
  add("concat channels", Concat(), {{2, 3, 1}, {2, 3, 4}, {2, 3, 2}});
  add("concat heights", Concat({.axis = 0}), {{2, 3}, {1, 3}});
  add("zero padding", ZeroPadding2D({.padding = Padding::explicit_(1, 0, 2, 3)}), {{2, 2, 2}});
  add("dropout", Dropout(), {{3, 4}});
  add("normalize", Normalize({.mean = {0.5F}, .deviation = {0.25F}}), {{2, 2, 3}});
  add("normalize channels", Normalize({.mean = {0.1F, 0.2F, 0.3F}, .deviation = {1, 2, 4}}), {{2, 2, 3}});
  return result;
}

/// A model that cuts a flat input into the layer's inputs cannot be written; inputs beyond the first are made by Dense
/// and Reshape layers, so that the layer sits in a model.
Model model_around(const Case& test) {
  Model model;
  std::vector<Model::Value> values{model.input()};
  for (std::size_t i = 1; i < test.inputs.size(); ++i) {
    auto x = model.add(Flatten(), model.input());
    x = model.add(Dense({.units = test.inputs[i].size()}), x);
    values.push_back(model.add(Reshape({.shape = test.inputs[i]}), x));
  }
  model.add(test.layer->clone(), values, "layer");
  model.build(test.inputs.front(), 3);
  return model;
}

}  // namespace

TEST_CASE("inference of every layer is what its lowered form computes") {
  for (const Case& test : cases()) {
    INFO(test.name);
    Model model = model_around(test);
    scramble(model, 5);
    const Tensor x = random_tensor(test.inputs.front().prepended(3), 7, -3, 3);
    const Variable y = model.forward(x);
    CHECK(y.shape() == model.output_shape().prepended(3));
    CHECK(relative_difference(y.value(), run_naively(model, x)) < 1e-5);
  }
}

TEST_CASE("relu6 keeps numbers between 0 and 6") {
  Sequential model{ReLU6()};
  model.build({5});
  const Tensor x = Tensor::from({1, 5}, {-1, 0, 3, 6, 9});
  CHECK(identical(model.forward(x).value(), Tensor::from({1, 5}, {0, 0, 3, 6, 6})));
  CHECK(relative_difference(model.forward(x).value(), run_naively(model, x)) == 0);
}

TEST_CASE("gradients of every layer, in inference and in training") {
  for (const bool training : {false, true})
    for (const Case& test : cases()) {
      INFO(test.name << (training ? ", training" : ", inference"));
      Model model = model_around(test);
      scramble(model, 5);
      std::vector<ParameterPtr> parameters;
      for (auto& [name, parameter] : model.parameters()) {
        parameter->convert(DType::float64);
        parameters.push_back(parameter);
      }
      const Context context{.training = training, .seed = 11};
      const auto report =
          check_gradients([&](const std::vector<Variable>& x) { return model.forward(x.front(), context); },
                          {random_tensor(test.inputs.front().prepended(3), 8, -2, 2)}, parameters);
      INFO(report);
      CHECK(report.passed);
    }
}

TEST_CASE("a layer computes with the weights it is given") {
  Dense dense({.units = 2});
  Random random(1);
  const Shape input{3};
  dense.build({&input, 1}, random);
  Weights weights = dense.weight_values();
  weights.set("kernel", Tensor::from({3, 2}, {1, 0, 0, 1, 1, 1}));
  weights.set("bias", Tensor::from({2}, {10, 20}));
  const Variable x(Tensor::from({1, 3}, {1, 2, 3}));
  CHECK(identical(dense.apply({&x, 1}, weights, {}).value(), Tensor::from({1, 2}, {14, 25})));
  CHECK_THROWS_WITH(dense.apply({&x, 1}, Weights(), {}), Contains("is missing; there is none (is the layer built?)"));
}

TEST_CASE("layers refuse options out of range") {
  CHECK_THROWS_WITH(Conv2D({.kernel = 3}), "Conv2D: filters is 0, expected at least 1");
  CHECK_THROWS_WITH(Conv2D({.filters = 3}), "Conv2D: kernel is (0, 0), expected at least 1");
  CHECK_THROWS_WITH(Conv2D({.filters = 3, .kernel = 3, .stride = {1, 0}}),
                    "Conv2D: stride is (1, 0), expected at least 1");
  CHECK_THROWS_WITH(Conv2D({.filters = 3, .kernel = 3, .initializer = nullptr}), "Conv2D: the initializer is empty");
  CHECK_THROWS_WITH(Conv2D({.filters = 3, .kernel = 3, .dilation = 0}),
                    "Conv2D: dilation is (0, 0), expected at least 1");
  CHECK_THROWS_WITH(Conv2D({.filters = 3, .kernel = 3, .groups = 0}), "Conv2D: groups is 0, expected at least 1");
  CHECK_THROWS_WITH(DepthwiseConv2D({}), "DepthwiseConv2D: kernel is (0, 0), expected at least 1");
  CHECK_THROWS_WITH(DepthwiseConv2D({.kernel = 3, .depth_multiplier = 0}),
                    "DepthwiseConv2D: depth_multiplier is 0, expected at least 1");
  CHECK_THROWS_WITH(DepthwiseConv2D({.kernel = 3, .stride = {0, 1}}),
                    "DepthwiseConv2D: stride is (0, 1), expected at least 1");
  CHECK_THROWS_WITH(DepthwiseConv2D({.kernel = 3, .dilation = -1}),
                    "DepthwiseConv2D: dilation is (-1, -1), expected at least 1");
  CHECK_THROWS_WITH(DepthwiseConv2D({.kernel = 3, .initializer = nullptr}),
                    "DepthwiseConv2D: the initializer is empty");
  CHECK_THROWS_WITH(Conv1D({.kernel = 3}), "Conv1D: filters is 0, expected at least 1");
  CHECK_THROWS_WITH(Conv1D({.filters = 3}), "Conv1D: kernel is 0, expected at least 1");
  CHECK_THROWS_WITH(Conv1D({.filters = 3, .kernel = 3, .stride = 0}), "Conv1D: stride is 0, expected at least 1");
  CHECK_THROWS_WITH(Conv1D({.filters = 3, .kernel = 3, .padding = Padding::explicit_(1, 0, 0, 0)}),
                    Contains("the padding is 1 above and 0 below, expected 0"));
  CHECK_THROWS_WITH(Conv1D({.filters = 3, .kernel = 3, .initializer = nullptr}), "Conv1D: the initializer is empty");
  CHECK_THROWS_WITH(Conv2DTranspose({.kernel = 3}), "Conv2DTranspose: filters is 0, expected at least 1");
  CHECK_THROWS_WITH(Conv2DTranspose({.filters = 3}), "Conv2DTranspose: kernel is (0, 0), expected at least 1");
  CHECK_THROWS_WITH(Conv2DTranspose({.filters = 3, .kernel = 3, .stride = {0, 1}}),
                    "Conv2DTranspose: stride is (0, 1), expected at least 1");
  CHECK_THROWS_WITH(Conv2DTranspose({.filters = 3, .kernel = 3, .dilation = {1, 0}}),
                    "Conv2DTranspose: dilation is (1, 0), expected at least 1");
  CHECK_THROWS_WITH(Conv2DTranspose({.filters = 3, .kernel = 3, .initializer = nullptr}),
                    "Conv2DTranspose: the initializer is empty");
  CHECK_THROWS_WITH(LayerNorm({.epsilon = 0}), "LayerNorm: epsilon is 0, expected a positive finite number");
  CHECK_THROWS_WITH(LayerNorm({.epsilon = INFINITY}), Contains("epsilon is inf"));
  CHECK_THROWS_WITH(Dense({.units = -1}), "Dense: units is -1, expected at least 1");
  CHECK_THROWS_WITH(LeakyReLU({.slope = INFINITY}), "LeakyReLU: slope is inf, expected a finite number");
  CHECK_THROWS_WITH(Pow({.exponent = NAN}), "Pow: exponent is nan, expected a finite number");
  CHECK_THROWS_WITH(Dropout({.rate = 1}), "Dropout: rate is 1, expected 0 <= rate < 1");
  CHECK_THROWS_WITH(Dropout({.rate = std::nanf("")}), Contains("rate is nan"));
  CHECK_THROWS_WITH(BatchNorm({.momentum = 1.5F}), Contains("momentum is 1.5"));
  CHECK_THROWS_WITH(BatchNorm({.epsilon = 0}), Contains("epsilon is 0"));
  CHECK_THROWS_WITH(MaxPool2D({.window = 0}), "MaxPool2D: window is (0, 0), expected at least 1");
  CHECK_THROWS_WITH(AveragePool2D({.stride = -1}), "AveragePool2D: stride is (-1, -1), expected at least 1");
  CHECK_THROWS_WITH(ZeroPadding2D({.padding = Padding::same()}), Contains("must be Padding::explicit_"));
  CHECK_THROWS_WITH(UpSampling2D({.factor = {2, 0}}), "UpSampling2D: factor is (2, 0), expected at least 1");
  CHECK_THROWS_WITH(Normalize({.deviation = {1, 0}}), Contains("deviation is 0"));
  CHECK_THROWS_WITH(Normalize({.mean = {}}), Contains("at least one number"));
  CHECK_THROWS_WITH(Reshape({}), Contains("no axis"));
}

TEST_CASE("layers refuse inputs that do not fit, naming shapes") {
  const auto shape_of = [](const Layer& layer, const std::vector<Shape>& inputs) { return layer.output_shape(inputs); };
  CHECK_THROWS_WITH(shape_of(Conv2D({.filters = 2, .kernel = 3}), {{784}}),
                    "Conv2D: input of shape (784) per sample, expected (height, width, channels)");
  CHECK_THROWS_WITH(shape_of(Conv2D({.filters = 2, .kernel = 5, .padding = Padding::valid()}), {{4, 9, 1}}),
                    Contains("window of height 5 does not fit an input of height 4"));
  CHECK_THROWS_WITH(shape_of(Conv2D({.filters = 4, .kernel = 3, .groups = 2}), {{4, 4, 3}}),
                    Contains("3 input and 4 output channels, expected multiples of the 2 groups"));
  CHECK_THROWS_WITH(shape_of(Conv2D({.filters = 3, .kernel = 3, .groups = 2}), {{4, 4, 4}}),
                    Contains("4 input and 3 output channels, expected multiples of the 2 groups"));
  CHECK_THROWS_WITH(shape_of(DepthwiseConv2D({.kernel = 3, .padding = Padding::valid(), .dilation = 2}), {{4, 9, 1}}),
                    Contains("window of height 5 does not fit an input of height 4"));
  CHECK_THROWS_WITH(shape_of(Conv1D({.filters = 2, .kernel = 3}), {{4, 4, 1}}),
                    "Conv1D: input of shape (4, 4, 1) per sample, expected (length, channels)");
  CHECK_THROWS_WITH(shape_of(Conv1D({.filters = 2, .kernel = 5, .padding = Padding::valid()}), {{4, 1}}),
                    Contains("window of width 5 does not fit an input of width 4"));
  CHECK_THROWS_WITH(
      shape_of(Conv2DTranspose({.filters = 2, .kernel = 3, .padding = Padding::explicit_(0, 3, 0, 0)}), {{4, 4, 1}}),
      Contains("padding 0 and 3 along the height, expected at least 0 and less than the window of 3"));
  CHECK_THROWS_WITH(shape_of(LayerNorm(), {Shape{}}), "LayerNorm: input of shape () per sample has no channels");
  CHECK_THROWS_WITH(shape_of(Dense({.units = 2}), {{4, 4}}), Contains("put a Flatten in front"));
  CHECK_THROWS_WITH(shape_of(MaxPool2D(), {{1, 1, 8}}), Contains("window of height 2 does not fit"));
  CHECK_THROWS_WITH(shape_of(Add(), {{4, 4}, {4, 1}}), "Add: inputs of shapes (4, 4) and (4, 1), expected one shape");
  CHECK_THROWS_WITH(shape_of(Add(), {{4}}), "Add: takes two inputs, got 1");
  CHECK_THROWS_WITH(shape_of(Where({.mask = Tensor::zeros({4})}), {{4}}), "Where: takes two inputs, got 1");
  CHECK_THROWS_WITH(shape_of(Where({.mask = Tensor::zeros({4})}), {{4}, {1}}),
                    "Where: an input of shape (1), expected that of the mask, (4)");
  CHECK_THROWS_WITH(Where({}), "Where: the mask is undefined");
  CHECK_THROWS_WITH(shape_of(Concat(), {{4, 4}, {3, 4}}), Contains("(4, 4) and (3, 4) differ outside axis 1"));
  CHECK_THROWS_WITH(shape_of(Concat({.axis = 2}), {{4, 4}}),
                    "Concat: axis 2 is out of range for rank 2, expected -2 to 1");
  CHECK_THROWS_WITH(shape_of(BatchNorm(), {Shape{}}),
                    Contains("BatchNorm: input of shape () per sample has no channel axis"));
  CHECK_THROWS_WITH(shape_of(Concat(), {}), Contains("at least one input"));
  CHECK_THROWS_WITH(shape_of(Reshape({.shape = {5}}), {{2, 3}}),
                    Contains("(2, 3) per sample has 6 elements, (5) has 5"));
  CHECK_THROWS_WITH(shape_of(Normalize({.mean = {1, 2}}), {{4, 4, 3}}),
                    Contains("2 numbers in mean for input of shape (4, 4, 3)"));

  Add add;
  Random random(1);
  const std::vector<Shape> shapes{{2, 2}, {2, 2}};
  add.build(shapes, random);
  const std::vector<Variable> different{Tensor::zeros({1, 2, 2}), Tensor::zeros({1, 2, 1})};
  CHECK_THROWS_WITH(add.forward(different), Contains("(1, 2, 2) and (1, 2, 1)"));
}

TEST_CASE("every layer refuses another number of inputs, by name") {
  for (const Case& test : cases()) {
    if (test.layer->type() == "Concat") continue;  // takes any number
    INFO(test.name);
    std::vector<Shape> one_more = test.inputs;
    one_more.push_back(test.inputs.front());
    const std::string expected =
        message(test.layer->type(), test.inputs.size() == 1 ? ": takes one input, got 2" : ": takes two inputs, got 3");
    CHECK_THROWS_WITH(test.layer->output_shape(one_more), expected);
    Random random(1);
    test.layer->build(test.inputs, random);
    std::vector<Variable> values;
    for (const Shape& shape : one_more) values.push_back(Tensor::zeros(shape.prepended(2)));
    CHECK_THROWS_WITH(test.layer->forward(values), expected);
  }
}

TEST_CASE("every layer of images refuses what is no image") {
  const Shape flat{12};
  for (const Case& test : cases()) {
    const std::string_view type = test.layer->type();
    if (type.find("Conv2D") == std::string_view::npos && type != "ZeroPadding2D" && type != "UpSampling2D" &&
        type.find("Pool2D") == std::string_view::npos)
      continue;
    INFO(test.name);
    CHECK_THROWS_WITH(test.layer->output_shape({&flat, 1}),
                      message(type, ": input of shape (12) per sample, expected (height, width, channels)"));
  }
}

TEST_CASE("a built layer refuses batches of other channels, a single one included") {
  const auto run = [](Layer&& layer, const Shape& built_for, const Shape& x, bool training) {
    Random random(1);
    layer.build({&built_for, 1}, random);
    layer.forward(Tensor::zeros(x), {.training = training});
  };
  for (const bool training : {false, true}) {
    CHECK_THROWS_WITH(run(BatchNorm(), {4, 4, 3}, {2, 4, 4, 1}, training),
                      "BatchNorm: input of shape (2, 4, 4, 1), expected 3 channels (the last axis)");
    CHECK_THROWS_WITH(run(BatchNorm(), {1}, {2, 3}, training),
                      "BatchNorm: input of shape (2, 3), expected 1 channel (the last axis)");
    CHECK_THROWS_WITH(run(Normalize({.mean = {1, 2, 3}}), {4, 3}, {2, 4, 1}, training),
                      "Normalize: input of shape (2, 4, 1), expected 3 channels (the last axis)");
    CHECK_THROWS_WITH(run(Normalize({.deviation = {1, 2, 3}}), {4, 3}, {2, 4, 2}, training),
                      Contains("(2, 4, 2), expected 3 channels"));
    CHECK_THROWS_WITH(run(Conv2D({.filters = 2, .kernel = 3}), {4, 4, 3}, {2, 4, 4, 1}, training),
                      Contains("conv2d: input (2, 4, 4, 1) has 1 channels, kernel (3, 3, 3, 2) expects 3"));
    CHECK_THROWS_WITH(run(DepthwiseConv2D({.kernel = 3}), {4, 4, 3}, {2, 4, 4, 1}, training),
                      Contains("1 input and 3 output channels, expected multiples of the 3 groups"));
    CHECK_THROWS_WITH(run(DepthwiseConv2D({.kernel = 3}), {4, 4, 3}, {2, 4, 4, 6}, training),
                      Contains("expects 1 in each of 3 groups"));
    CHECK_THROWS_WITH(run(Dense({.units = 2}), {3}, {2, 4}, training),
                      "matmul: shapes are (2, 4) and (3, 2), expected (m, k) and (k, n)");
    CHECK_NOTHROW(run(Normalize({.mean = {1}, .deviation = {2}}), {4, 3}, {2, 4, 1}, training));
  }
}

TEST_CASE("a depthwise kernel is Keras' (kh, kw, in, M) in memory, output channel c * M + m") {
  Sequential model(DepthwiseConv2D({.kernel = 1, .depth_multiplier = 2, .bias = false}));
  model.build({1, 1, 3});
  ParameterPtr kernel = model.layer("depthwise1").weight("kernel");
  REQUIRE(kernel->value().shape() == Shape{1, 1, 1, 6});
  const Tensor keras = Tensor::from({1, 1, 3, 2}, {1, 10, 2, 20, 3, 30});  // channel c times (c + 1) and 10 (c + 1)
  kernel->assign(keras.reshape({1, 1, 1, 6}));
  const Tensor x = Tensor::from({1, 1, 1, 3}, {1, 2, 3});
  CHECK(identical(model.forward(x).value(), Tensor::from({1, 1, 1, 6}, {1, 10, 4, 40, 9, 90})));
}

TEST_CASE("a one-dimensional kernel is Keras' (k, in, out) in memory") {
  Sequential model(Conv1D({.filters = 2, .kernel = 2, .padding = Padding::valid(), .bias = false}));
  model.build({3, 1});
  ParameterPtr kernel = model.layer("conv1d1").weight("kernel");
  REQUIRE(kernel->value().shape() == Shape{1, 2, 1, 2});
  kernel->assign(
      Tensor::from({2, 1, 2}, {1, 10, 2, 20}).reshape({1, 2, 1, 2}));  // x[i] + 2 x[i + 1], and ten times that
  const Tensor x = Tensor::from({1, 3, 1}, {1, 2, 3});
  CHECK(identical(model.forward(x).value(), Tensor::from({1, 2, 2}, {5, 50, 8, 80})));
}

TEST_CASE("a transposed kernel is Keras' (kh, kw, out, in) with its last axes swapped, not turned") {
  Sequential model(Conv2DTranspose({.filters = 1, .kernel = {1, 3}, .stride = {1, 2}, .padding = Padding::valid()}));
  model.build({1, 2, 2});
  ParameterPtr kernel = model.layer("conv_transpose1").weight("kernel");
  REQUIRE(kernel->value().shape() == Shape{1, 3, 2, 1});
  kernel->assign(Tensor::from({1, 3, 2, 1}, {1, 10, 2, 20, 3, 30}));
  model.layer("conv_transpose1").weight("bias")->assign(Tensor::from({1}, {100}));
  const Tensor x = Tensor::from({1, 1, 2, 2}, {1, 0, 0, 1});  // 1, 2, 3 at 0; 10, 20, 30 at 2
  CHECK(identical(model.forward(x).value(), Tensor::from({1, 1, 5, 1}, {101, 102, 113, 120, 130})));
}

TEST_CASE("a layer is built once") {
  Conv2D conv({.filters = 2, .kernel = 3, .name = "first"});
  const Shape shape{4, 4, 1}, other{4, 4, 3};
  const Variable x(Tensor::zeros({1, 4, 4, 1}));
  CHECK_THROWS_WITH(conv.forward(x), "first (Conv2D): forward() of a layer that is not built; call build() first");
  CHECK_THROWS_WITH(conv.weight("kernel"), Contains("none before it is built"));
  Random random(1);
  CHECK(conv.build({&shape, 1}, random) == Shape{4, 4, 2});
  const Tensor kernel = conv.weight("kernel")->value().clone();
  CHECK(conv.build({&shape, 1}, random) == Shape{4, 4, 2});
  CHECK(identical(kernel, conv.weight("kernel")->value()));
  CHECK_THROWS_AS(conv.build({&other, 1}, random), StateError);
  CHECK_THROWS_WITH(conv.build({&other, 1}, random),
                    Contains("already built for inputs of shape (4, 4, 1), now asked to build for (4, 4, 3)"));
  CHECK_THROWS_WITH(conv.weight("gamma"), "first (Conv2D): no weight \"gamma\"; it has kernel, bias");
  CHECK_THROWS_WITH(conv.buffer("x"), "first (Conv2D): no buffer \"x\"; it has none");
}

TEST_CASE("dropout depends on seed and stream, keeps the mean, and sleeps in inference") {
  Sequential model(Dropout({.rate = 0.25F}), Dropout({.rate = 0.25F}));
  model.set_output({0});
  model.build({10000});
  const Tensor x = Tensor::full({1, 10000}, 3);
  CHECK(identical(model.forward(x).value(), x));
  const auto first = [&](std::uint64_t seed) { return model.forward(x, {.training = true, .seed = seed}).value(); };
  const Tensor once = first(1);
  CHECK(identical(once, first(1)));
  CHECK_FALSE(identical(once, first(2)));
  Index zeros = 0;
  for (const float e : once.span<float>()) {
    zeros += e == 0 ? 1 : 0;
    CHECK((e == 0 || e == Approx(4)));
  }
  CHECK(std::abs(static_cast<double>(zeros) - 2500) < 5 * std::sqrt(10000 * 0.25 * 0.75));
  // The second layer draws from another stream: it does not drop the same elements again.
  Model both = model;
  both.set_output({1});
  Index kept = 0;
  const Tensor twice = both.forward(x, {.training = true, .seed = 1}).value();
  for (const float e : twice.span<float>()) kept += e != 0 ? 1 : 0;
  CHECK(std::abs(static_cast<double>(kept) - 5625) < 300);
}

TEST_CASE("the items of temporary weights may be looped over") {
  Dense dense({.units = 2});
  Random random(1);
  const Shape input{3};
  dense.build({&input, 1}, random);
  std::vector<std::string> names;
  for (const auto& [name, value] : dense.weight_values().items())
    names.push_back(name + " " + to_string(value.shape()));
  CHECK(names == std::vector<std::string>{"kernel (3, 2)", "bias (2)"});
}
