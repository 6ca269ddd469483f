// A model lets elementwise layers be computed together; nothing but the number of operations may show it.
#include <catch2/catch.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

using namespace bitgrad;

namespace {

const Shape image{8, 8, 3};

Tensor images() {
  Tensor x(Shape{4, 8, 8, 3});
  Random(3).fill_uniform(x, 0, 1);
  return x;
}

Model float_model(const std::string& name = "resnet8") {
  Model model = models::make(name, image, 4);
  model.build(image, 1);
  return model;
}

Variable by_model(Model& model, const Tensor& x, const Context& context) { return model.forward(x, context); }

/// Every layer by itself, so that every operation is one that users know.
Variable by_layer(Model& model, const Tensor& x, Context context) {
  std::vector<Variable> values;
  context.model = &model;
  for (const Model::Node& node : model.nodes()) {
    std::vector<Variable> inputs;
    for (const int input : node.inputs)
      inputs.push_back(input < 0 ? Variable(x) : values[static_cast<std::size_t>(input)]);
    context.stream = values.size();
    values.push_back(node.layer->forward(inputs, context));
  }
  return values[static_cast<std::size_t>(model.output().node)];
}

struct Step {
  Tensor logits;
  NamedTensors gradients, state;
  std::string tape;
};

template <class Forward>
Step step(Model model, Forward forward) {
  Step result;
  model.zero_gradient();
  Tape tape;
  const Variable y = forward(model, images(), Context{.training = true});
  const Variable loss = cross_entropy(y, Tensor::from({4}, std::vector<std::int32_t>{0, 1, 2, 3}));
  result.tape = tape.dump();
  tape.backward(loss);
  result.logits = y.value();
  for (const NamedParameter& each : model.parameters())
    if (each.parameter->has_gradient()) result.gradients.add(each.name, each.parameter->gradient().clone());
  result.state = model.state_dict();
  return result;
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t result = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++result;
  return result;
}

void check_same(const Model& model) {
  const Step together = step(model, by_model), apart = step(model, by_layer);
  CHECK(identical(together.logits, apart.logits));
  CHECK(identical(together.state, apart.state));
  CHECK(identical(together.gradients, apart.gradients));
}

}  // namespace

TEST_CASE("a model computes what its layers compute one by one, to the bit") {
  for (const char* name : {"resnet8", "fashion_cnn", "mlp"}) {
    CAPTURE(name);
    check_same(float_model(name));
  }
  const Step together = step(float_model(), by_model);
  CHECK(count(together.tape, "/batch_norm+relu ") == 4);
  CHECK(count(together.tape, "/batch_norm ") == 3);  // in front of additions
  CHECK(count(together.tape, "/relu ") == 3);        // behind them
}

TEST_CASE("so does a model with quantizers, before and after its statistics are frozen") {
  for (const char* spec : {"lsq:8", "lsq:4", "lsq-pot:4", "lsq-plus:4", "mct-ste:4", "mct-ste:4:uniform",
                           "mct-ste:4:pot", "mct-lsq:4", "mct-lsq:4:uniform"}) {
    CAPTURE(spec);
    QuantizationConfig config;
    config.activations = parse_quantizer_spec(spec);
    Model model = quantization_aware_training_init(float_model(), images(), config);
    check_same(model);
    freeze_batch_norm(model, true);
    check_same(model);
  }
}

TEST_CASE("batch normalisation, clamp and quantizer are one operation") {
  Model model = quantization_aware_training_init(float_model(), images(), {});
  const std::string tape = step(model, by_model).tape;
  CHECK(count(tape, "/batch_norm+relu+lsq ") == 4);
  CHECK(count(tape, "/batch_norm+lsq ") == 3);
  CHECK(count(tape, "/relu+lsq ") == 3);
  CHECK(count(tape, "/relu ") + count(tape, "/batch_norm ") == 0);
  freeze_batch_norm(model, true);
  CHECK(count(step(model, by_model).tape, "/relu+lsq ") == 7);
}
