// Everything that comes with a quantizer of one's own, with nothing written but the quantizer: it trains through the
// facade, converts, is saved and loaded, freezes into a graph whose codes are those of the model, and passes the
// conformance checks. `own_quantizers DIR` writes a small data set named fashion-mnist into DIR instead.
#include <iostream>
#include <set>

#include "my_quantizer.hpp"
#include "my_quantizer_by_hand.hpp"
#include "support/temporary_directory.hpp"
#include "support/tiny_data.hpp"

using namespace bitgrad;

namespace {

int failures = 0;

void expect(bool holds, const std::string& what) {
  std::cout << (holds ? "  ok      " : "  FAILED  ") << what << '\n';
  failures += !holds;
}

Model small_model(const data::Dataset& train) {
  Model model =
      Sequential(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(), Flatten(), Dense({.units = 4}));
  model.build(train.images.shape().without_front(), /*seed=*/1);
  fit(model, train, {.epochs = 4, .batch = 32});
  return model;
}

/// Values of the learned thresholds, all in one. That of the input stays over its whole range.
std::vector<float> thresholds(const Model& model) {
  std::vector<float> values;
  for (const NamedParameter& each : model.parameters())
    if (each.parameter->group() == ParameterGroup::qparams && each.parameter->trainable())
      for (const float value : each.parameter->value().span<float>()) values.push_back(value);
  return values;
}

void check_use(const std::string& name, const Model& float_model, const data::Dataset& train,
               const data::Dataset& test) {
  std::cout << name << '\n';
  const QuantizerSpec spec = parse_quantizer_spec(name + ":4").value();
  const QuantizationConfig config{.weights = spec, .activations = spec};
  const QuantizationPlan plan = plan_quantization(float_model, data::to_unit_range(train.images), config);
  Model model = attach_quantizers(float_model, plan);
  const std::vector<float> before = thresholds(model);
  fit(model, train, quantized_training({.epochs = 4, .batch = 32}));
  const std::vector<float> after = thresholds(model);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) moved += before[i] != after[i];
  expect(!before.empty() && moved == before.size(),
         message("every learned threshold moves (", moved, " of ", before.size(), ")"));

  const Tensor images = data::to_unit_range(test.images);
  const double trained = accuracy(model, test);
  expect(trained > 0.9, message("it trains: accuracy ", trained));

  // Saved as a plan and a state, and read back.
  Model restored = attach_quantizers(float_model, QuantizationPlan::from_json(plan.to_json()));
  restored.load_state_dict(model.state_dict());
  expect(identical(evaluate(restored, images), evaluate(model, images)), "a saved state gives the same model");
  expect(identical(evaluate(quantization_aware_training_finalize(model), images), evaluate(model, images)),
         "so does finalizing");

  const InferenceGraph graph = convert2inferable(model);
  const support::TemporaryDirectory directory;
  graph.save((directory / "frozen").string());
  const InferenceGraph loaded = InferenceGraph::load((directory / "frozen").string());
  expect(identical(loaded.run(images), evaluate(model, images)),
         "the frozen graph, saved and loaded, computes the same");
  const VerifyReport verified = verify(model, loaded, images);
  expect(verified.passed() && verified.codes_compared > 0,
         message("verify: ", verified.differing_codes, " of ", verified.codes_compared, " codes differ"));

  const ConformanceReport report = check_quantizer(name);
  expect(report.passed() && report.declared.empty() && report.refused.empty(), "check_quantizer: " + report.describe());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    support::write_tiny_data(std::filesystem::path(argv[1]) / "fashion-mnist", 512, 128, 28);
    return 0;
  }
  register_quantizer<mine::MyQuantizer>();
  register_quantizer<mine::ByHand>();
  const data::Dataset train = support::tiny_dataset(256, 8, 1), test = support::tiny_dataset(128, 8, 2);
  const Model float_model = small_model(train);
  for (const char* name : {"mine", "mine-by-hand"}) check_use(name, float_model, train, test);
  std::cout << (failures == 0 ? "all hold\n" : "something does not hold\n");
  return failures == 0 ? 0 : 1;
}
