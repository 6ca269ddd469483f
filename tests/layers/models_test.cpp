#include <catch2/catch.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/layers/models/models.hpp>

#include "naive_executor.hpp"
#include "training.hpp"

using namespace bitgrad;
using namespace support;
using Catch::Contains;

TEST_CASE("reference models have the sizes they promise") {
  const auto count = [](std::string_view name, const Shape& shape, Index classes) {
    return models::make(name, shape, classes).build(shape).parameter_count();
  };
  CHECK(count("mlp", {28, 28, 1}, 10) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10);
  CHECK(count("lenet5", {28, 28, 1}, 10) == 61706);
  CHECK(count("resnet8", {32, 32, 3}, 10) == 78186);  // Keras' count of trainable parameters of the reference
  CHECK(count("fashion_cnn", {28, 28, 1}, 10) == 79770);
  CHECK(count("resnet20", {32, 32, 3}, 10) == 272474);
  CHECK(count("ds_cnn", {49, 10, 1}, 12) == 23756);  // with the moving statistics the reference's 24,908
  CHECK(count("mobilenet_v1", {96, 96, 3}, 2) == 213586);
  const Shape image{224, 224, 3};  // Keras' count of trainable parameters of the full network
  CHECK(models::mobilenet_v1(image, 1000, 4).build(image).parameter_count() == 4231976);
  CHECK(models::autoencoder({640}).build({640}).parameter_count() == 267928);

  Index folded = 0;  // without batch normalisation: the reference once it is folded
  const Model resnet = models::resnet8({32, 32, 3}, 10).build({32, 32, 3});
  for (const auto& [name, parameter] : resnet.parameters())
    if (!name.ends_with("gamma") && !name.ends_with("beta")) folded += parameter->value().size();
  CHECK(folded == 77706);
}

TEST_CASE("reference models cost the multiplications they promise") {
  const auto count = [](std::string_view name, const Shape& shape, Index classes = 10, Index width = 1) {
    Model model = models::make(name, shape, classes, width).build(shape);
    const std::vector<Shape> shapes = model.node_shapes(shape);
    Index result = 0;  // every kernel element, at every output pixel
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (const Layer& layer = *model.nodes()[i].layer; layer.has_weight("kernel"))
        result += layer.weight("kernel")->value().size() * shapes[i].size() / shapes[i][-1];
    return result;
  };
  CHECK(count("lenet5", {28, 28, 1}) == 416520);
  CHECK(count("fashion_cnn", {28, 28, 1}) == 1975488);
  CHECK(count("resnet8", {32, 32, 3}) == 12501632);
  CHECK(count("resnet20", {32, 32, 3}) == 40813184);
  CHECK(count("ds_cnn", {49, 10, 1}, 12) == 2656768);
  CHECK(count("mobilenet_v1", {96, 96, 3}, 2) == 7489664);
  CHECK(count("mobilenet_v1", {224, 224, 3}, 1000, 4) == 568740352);  // the paper's 569 million
}

TEST_CASE("reference models take other images and classes") {
  CHECK(models::names() ==
        std::vector<std::string>{"ds_cnn", "fashion_cnn", "lenet5", "mlp", "mobilenet_v1", "resnet20", "resnet8"});
  for (const std::string& name : models::names())
    for (const Shape& shape : {Shape{28, 28, 1}, Shape{32, 32, 3}, Shape{17, 30, 2}}) {
      INFO(name << ' ' << shape);
      Model model = models::make(name, shape, 7);
      CHECK_FALSE(model.built());
      model.build(shape, 1);
      CHECK(model.forward(random_tensor(shape.prepended(2), 3)).shape() == Shape{2, 7});
    }
}

TEST_CASE("reference models lower to what they compute") {
  for (const std::string& name : models::names()) {
    INFO(name);
    const Shape shape{16, 16, 2};
    Model model = models::make(name, shape, 4).build(shape, 1);
    for (auto& [buffer, value] : model.buffers()) Random(3).fill_uniform(value, 0.2, 0.4);
    const Tensor x = random_tensor(shape.prepended(2), 5);
    // Each layer's sums are rounded on their own, and the differences add up on the way to the largest logit.
    const auto sums =
        std::ranges::count_if(model.nodes(), [](const auto& node) { return node.layer->has_weight("kernel"); });
    CHECK(relative_difference(model.forward(x).value(), run_naively(model, x)) < 2e-6 * static_cast<double>(sums));
  }
}

TEST_CASE("a step along the gradient reduces the loss of every reference model") {
  const Shape shape{16, 16, 1};
  const Tensor x = random_tensor(shape.prepended(8), 5, 0, 1);
  const Tensor labels = Tensor::from({8}, std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 2, 3});
  for (const std::string& name : models::names()) {
    INFO(name);
    Model model = models::make(name, shape, 4).build(shape, 1);
    const double first = step(model, x, labels, 0.01, 0);
    const double second = step(model, x, labels, 0.01, 0);  // the same dropout
    CHECK(second < first);
    for (const auto& [parameter_name, parameter] : model.parameters()) {
      INFO(parameter_name);
      CHECK(parameter->has_gradient());
    }
  }
}

TEST_CASE("reference models can be wider, and say what images they were made for") {
  const auto count = [](std::string_view name, Index width) {
    const Shape shape = models::usual_input_shape(name);
    return models::make(name, shape, 10, width).build(shape).parameter_count();
  };
  CHECK(models::usual_input_shape("resnet8") == Shape{32, 32, 3});
  CHECK(models::usual_input_shape("lenet5") == Shape{28, 28, 1});
  CHECK(count("mlp", 2) == 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
  CHECK(count("lenet5", 3) ==
        25 * 18 + 18 + 25 * 18 * 48 + 48 + (5 * 5 * 48) * 360 + 360 + 360 * 252 + 252 + 252 * 10 + 10);
  for (const std::string& name : models::names()) {
    INFO(name);
    CHECK(10 * count(name, 2) > 19 * count(name, 1));
    CHECK(models::make(name, models::usual_input_shape(name), 10, 4).output_shape(models::usual_input_shape(name)) ==
          Shape{10});
  }
  CHECK_THROWS_WITH(models::make("mlp", {28, 28, 1}, 10, 0), "model mlp: width is 0, expected at least 1");
  CHECK_THROWS_WITH(models::usual_input_shape("lenet"), Contains("did you mean \"lenet5\""));
}

TEST_CASE("names of models say how wide they are, and whether they normalise their input") {
  const Shape shape{8, 8, 3};
  const auto parameters = [&](std::string_view name) {
    std::vector<std::string> result;
    for (const auto& [name_of, value] : models::make(name, shape, 10).build(shape, 1).parameters())
      result.push_back(message(name_of, ' ', value->value().shape()));
    return result;
  };
  CHECK(parameters("resnet8:2").size() == parameters("resnet8").size());
  CHECK(parameters("resnet8:2") != parameters("resnet8"));
  CHECK(parameters("resnet8:normalized") == parameters("resnet8"));
  CHECK(parameters("resnet8:2:normalized") == parameters("resnet8:2"));
  CHECK(models::make("mlp:2", shape, 10, 2).build(shape).parameter_count() ==
        models::make("mlp:4", shape, 10).build(shape).parameter_count());
  CHECK(models::usual_input_shape("lenet5:3:normalized") == Shape{28, 28, 1});
  Model plain = models::make("resnet8", shape, 10).build(shape, 1);
  Model normalized = models::make("resnet8:normalized", shape, 10).build(shape, 1);
  normalized.load_state_dict(plain.state_dict(), LoadMode::partial);
  const Tensor x = random_tensor({2, 8, 8, 3}, 1);
  CHECK(identical(normalized.forward(x).value(), plain.forward(x).value()));  // mean 0, deviation 1
  CHECK(normalized.state_dict().at("normalize/mean").shape() == Shape{3});
  for (const char* wrong : {"mlp:", "mlp:x", "mlp:1.5", "mlp:2:", "mlp:normalized:2", "mlp:2:normalised"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(models::make(wrong, shape, 10), Contains("expected a name, NAME:WIDTH"));
  }
  CHECK_THROWS_WITH(models::make("mlp:0", shape, 10), Contains("width is 0"));
}

TEST_CASE("unknown models and impossible images") {
  CHECK_THROWS_AS(models::make("resnet", {32, 32, 3}, 10), ValueError);
  CHECK_THROWS_WITH(models::make("resnet", {32, 32, 3}, 10),
                    Contains("unknown model \"resnet\" (did you mean \"resnet8\"?"));
  CHECK_THROWS_WITH(models::make("mlp", {28, 28, 1}, 1), "model mlp: 1 classes, expected at least 2");
  CHECK_THROWS_WITH(models::make("lenet5", {8, 8, 1}, 10),
                    Contains("layer \"conv2\" (Conv2D)") && Contains("(8, 8, 1)"));
  CHECK_THROWS_WITH(models::make("fashion_cnn", {4, 4, 1}, 10),
                    Contains("layer \"pool3\" (MaxPool2D)") && Contains("(4, 4, 1)"));
  CHECK_THROWS_WITH(models::autoencoder({8, 8, 1}), Contains("samples have shape (8, 8, 1), expected (values)"));
  CHECK_THROWS_WITH(models::autoencoder({8}, 0), Contains("width is 0"));
  CHECK_THROWS_WITH(models::make("resnet8", {784}, 10), Contains("layer \"conv1\" (Conv2D)") && Contains("(784)"));
}
