#include <catch2/catch.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/layers.hpp>

#include "naive_executor.hpp"

using namespace bitgrad;
using namespace support;
using Catch::Contains;

namespace {

std::vector<std::string> node_names(const Model& model) {
  std::vector<std::string> result;
  for (const auto& node : model.nodes()) result.push_back(node.name);
  return result;
}

Conv2D conv(Index filters) { return Conv2D({.filters = filters, .kernel = 3}); }

}  // namespace

TEST_CASE("layers get names of their kind and a number") {
  const Sequential model(conv(2), BatchNorm(), ReLU(), conv(3), ReLU6(), MaxPool2D(), AveragePool2D(),
                         GlobalAveragePool2D(), Dense({.units = 2, .name = "head"}), Dense({.units = 2}));
  CHECK(node_names(model) == std::vector<std::string>{"conv1", "bn1", "relu1", "conv2", "relu2", "pool1", "pool2",
                                                      "global_pool1", "head", "dense1"});
}

TEST_CASE("automatic names avoid names that are taken, given names must be free") {
  Model model;
  model.add(ReLU(), model.input(), "relu1");
  model.add(ReLU(), model.output());
  CHECK(node_names(model) == std::vector<std::string>{"relu1", "relu2"});
  CHECK_THROWS_AS(model.add(ReLU("relu2"), model.output()), ValueError);
  CHECK_THROWS_WITH(model.add(ReLU("relu2"), model.output()),
                    "Model::add: there is already a layer or block named \"relu2\"");
  const Sequential block{ReLU()};
  CHECK_THROWS_WITH(model.add(block, model.output(), "relu1"), Contains("\"relu1\""));
  model.add(block, model.output(), "tail");
  CHECK_THROWS_WITH(model.add(ReLU(), model.output(), "tail"), Contains("\"tail\""));
  CHECK(model.nodes().size() == 3);
}

TEST_CASE("values must exist") {
  Model model;
  CHECK_THROWS_AS(model.add(ReLU(), Model::Value{0}), ValueError);
  CHECK_THROWS_WITH(model.add(ReLU(), Model::Value{0}),
                    Contains("layer \"relu1\": value 0 does not exist, the model has 0 nodes"));
  CHECK_THROWS_WITH(model.add(ReLU(), Model::Value{-2}), Contains("value -2"));
  CHECK_THROWS_WITH(model.add(Sequential(ReLU()), Model::Value{3}), Contains("block \"block1\": value 3"));
  CHECK_THROWS_WITH(model.set_output({0}), Contains("Model::set_output: value 0"));
  CHECK_THROWS_WITH(model.add(LayerPtr(), {model.input()}), Contains("null"));
  CHECK(model.nodes().empty());
}

TEST_CASE("blocks are copied in under their name") {
  Model model;
  const Sequential block(conv(2), ReLU());
  auto x = model.add(block, model.input());
  x = model.add(block, x, "second");
  x = model.add(Sequential(block, Flatten()), x);
  CHECK(node_names(model) == std::vector<std::string>{"block1/conv1", "block1/relu1", "second/conv1", "second/relu1",
                                                      "block2/block1/conv1", "block2/block1/relu1", "block2/flatten1"});
  model.build({4, 4, 1});
  CHECK(model.output_shape() == Shape{32});
  CHECK(model.parameters().front().name == "block1/conv1/kernel");
  CHECK_FALSE(block.nodes().front().layer->built());

  Model doubled = block;
  doubled.add(doubled, doubled.output());
  CHECK(doubled.nodes().size() == 4);
  CHECK(doubled.nodes()[2].inputs == std::vector<int>{1});

  Model through;  // an empty block is the identity
  CHECK(through.add(Model(), through.input()).node == -1);
  through.build({3});
  const Tensor some = random_tensor({2, 3}, 1);
  CHECK(identical(through.forward(some).value(), some));
}

TEST_CASE("a block's output need not be its last layer") {
  Model block;
  const auto first = block.add(Dense({.units = 2}), block.input());
  block.add(Dense({.units = 5}), first);
  block.set_output(first);
  Model model;
  model.add(block, model.input());
  CHECK(model.output().node == 0);
  model.add(ReLU(), model.output());
  model.build({3});
  CHECK(model.output_shape() == Shape{2});
}

TEST_CASE("a residual model is main plus shortcut") {
  const Sequential main(conv(4), BatchNorm(), ReLU(), conv(4));
  const Sequential shortcut{Conv2D({.filters = 4, .kernel = 1, .bias = false})};
  Model model = residual(main, shortcut);
  CHECK(node_names(model).back() == "add1");
  model.build({5, 5, 2}, 3);
  scramble(model, 2);
  const Tensor x = random_tensor({2, 5, 5, 2}, 4);
  const auto part = [&](const Model& shape, const std::string& prefix) {
    Model alone = shape;
    alone.build({5, 5, 2});
    NamedTensors state;
    for (const auto& [name, value] : model.state_dict())
      if (name.starts_with(prefix)) state.add(name.substr(prefix.size()), value);
    alone.load_state_dict(state);
    return alone.forward(x);
  };
  const Tensor expected = add(part(main, "main/"), part(shortcut, "shortcut/")).value();
  CHECK(identical(model.forward(x).value(), expected));
  CHECK(relative_difference(expected, run_naively(model, x)) < 1e-5);

  Model identity = residual(Sequential(ReLU()));
  identity.build({3});
  CHECK(identical(identity.forward(Tensor::from({1, 3}, {-1, 0, 2})).value(), Tensor::from({1, 3}, {-1, 0, 4})));
  CHECK_THROWS_WITH(residual(Sequential(conv(3))).build({4, 4, 1}),
                    Contains("layer \"add1\" (Add): Add: inputs of shapes (4, 4, 3) and (4, 4, 1)"));
}

TEST_CASE("a model that cannot take its input names the layer, and is left as it was") {
  Sequential model(conv(2), MaxPool2D(), MaxPool2D(), MaxPool2D(), Flatten(), Dense({.units = 2}));
  CHECK_THROWS_AS(model.build({4, 4, 1}), ShapeError);
  CHECK_THROWS_WITH(model.build({4, 4, 1}), Contains("layer \"pool3\" (MaxPool2D)") &&
                                                Contains("[its input: (1, 1, 2), the model's: (4, 4, 1)]"));
  CHECK_THROWS_WITH(model.build({784}), Contains("layer \"conv1\" (Conv2D)") && Contains("(784)"));
  CHECK_THROWS_WITH(model.build(Shape{}), Contains("expected at least one axis"));
  CHECK_THROWS_WITH(model.build({8, 0, 1}), Contains("(8, 0, 1)"));
  CHECK_FALSE(model.built());
  CHECK_FALSE(model.layer("conv1").built());
  model.build({8, 8, 1});
  CHECK(model.output_shape() == Shape{2});
  CHECK(model.output_shape({16, 16, 3}) == Shape{2});
  CHECK_THROWS_AS(model.build({16, 16, 1}), StateError);
  CHECK_THROWS_WITH(model.build({16, 16, 3}), Contains("layer \"conv1\" (Conv2D)") && Contains("already built"));
}

TEST_CASE("what needs a built model says so") {
  Sequential model{Dense({.units = 2})};
  const Tensor x = Tensor::zeros({1, 3});
  CHECK_THROWS_AS(model.forward(x), StateError);
  CHECK_THROWS_WITH(model.forward(x), Contains("Model::forward: the model is not built; call build(input_shape)"));
  CHECK_THROWS_WITH(model.output_shape(), Contains("not built"));
  CHECK_THROWS_WITH(model.state_dict(), Contains("not built"));
  CHECK_THROWS_WITH(model.load_state_dict({}), Contains("not built"));
  NaiveExecutor executor;
  CHECK_THROWS_WITH(model.lower(executor, {0}), Contains("not built"));
  model.build({3});
  model.forward(x);
  model.add(ReLU(), model.output());
  CHECK_THROWS_WITH(model.forward(x), Contains("Model::forward: the model is not built"));
}

TEST_CASE("forward refuses another shape") {
  Sequential model{Dense({.units = 2})};
  model.build({3});
  CHECK_THROWS_AS(model.forward(Tensor::zeros({1, 4})), ShapeError);
  CHECK_THROWS_WITH(model.forward(Tensor::zeros({1, 4})),
                    "Model::forward: the input has shape (1, 4), expected (batch, 3)");
  CHECK_THROWS_WITH(model.forward(Tensor::zeros({3})), Contains("shape (3), expected (batch, 3)"));
  CHECK_THROWS_WITH(model.forward(Tensor::scalar(1)), Contains("expected (batch, 3)"));
  CHECK_THROWS_WITH(model.forward(Variable()), Contains("(undefined)"));
  CHECK(model.forward(Tensor::zeros({5, 3})).shape() == Shape{5, 2});
}

TEST_CASE("a layer is found by name, and by type") {
  Sequential model(conv(2), BatchNorm());
  CHECK(model.layer("bn1").type() == "BatchNorm");
  CHECK(model.layer_as<Conv2D>("conv1").options().filters == 2);
  CHECK_THROWS_WITH(model.layer("conv11"), Contains("unknown layer \"conv11\" (did you mean \"conv1\"?"));
  CHECK_THROWS_WITH(model.layer_as<Dense>("conv1"), Contains("is a Conv2D"));
}

TEST_CASE("copies of a model are deep") {
  Sequential model(conv(2), BatchNorm(), Dropout());
  model.build({4, 4, 1}, 1);
  Model copy = model;
  const NamedTensors before = model.state_dict();
  CHECK(identical(before, copy.state_dict()));
  scramble(copy, 1);
  CHECK(identical(before, model.state_dict()));
  CHECK_FALSE(identical(before, copy.state_dict()));
  copy.forward(random_tensor({2, 4, 4, 1}, 1), {.training = true});
  CHECK(identical(before, model.state_dict()));
  CHECK(copy.parameters()[0].parameter != model.parameters()[0].parameter);
  Model assigned;
  assigned = copy;
  CHECK(identical(assigned.state_dict(), copy.state_dict()));
  assigned = *&assigned;
  CHECK(assigned.nodes().size() == 3);
}

TEST_CASE("copies keep what is trainable") {
  Sequential model{Dense({.units = 2})};
  model.build({3});
  CHECK(model.parameter_count() == 8);
  model.layer("dense1").weight("bias")->set_trainable(false);
  CHECK(Model(model).parameter_count() == 6);
}

TEST_CASE("the seed decides the weights, each layer has its own") {
  const auto state = [](std::uint64_t seed) {
    Sequential model(Dense({.units = 3}), Dense({.units = 3}));
    return model.build({3}, seed).state_dict();
  };
  CHECK(identical(state(1), state(1)));
  CHECK_FALSE(identical(state(1), state(2)));
  CHECK_FALSE(identical(state(1).at("dense1/kernel"), state(1).at("dense2/kernel")));
}

TEST_CASE("the tape knows which layer recorded") {
  Sequential model(Dense({.units = 3}), Sequential(ReLU()));
  model.build({3});
  Tape tape;
  model.forward(Tensor::zeros({1, 3}));
  CHECK_THAT(tape.dump(), Contains("dense1/kernel") && Contains("block1/relu1/relu"));
}

TEST_CASE("lowering names the layers in order") {
  Sequential model(Dense({.units = 3}), Sequential(ReLU()));
  model.build({3});
  NaiveExecutor executor;
  model.lower(executor, executor.input(Tensor::zeros({3})));
  CHECK(executor.layer_names() == std::vector<std::string>{"dense1", "block1/relu1"});
}

TEST_CASE("layers are told which model runs them") {
  struct Spy : LayerOf<Spy> {
    std::string_view type() const override { return "Spy"; }
    std::string_view name_stem() const override { return "spy"; }
    Shape output_shape(std::span<const Shape> inputs) const override { return single_input(inputs, type()); }
    Variable apply(std::span<const Variable> inputs, const Weights&, const Context& context) override {
      seen = context;
      return inputs.front();
    }
    GraphValue lower(GraphBuilder&, std::span<const GraphValue> inputs) const override { return inputs.front(); }
    Context seen;
  };
  Sequential model{ReLU(), Spy()};
  model.build({1});
  model.forward(Tensor::zeros({1, 1}), {.training = true, .seed = 7, .stream = 5});
  const Context& seen = model.layer_as<Spy>("spy1").seen;
  CHECK(seen.training);
  CHECK(seen.seed == 7);
  CHECK(seen.stream == 1);
  CHECK(seen.model == &model);
}
