// Learned scales that cannot break: adversarial starts, trained for some steps, stay finite with positive scales.
#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/qat/calibration.hpp>
#include <bitgrad/quantizers/registry.hpp>

using namespace bitgrad;

namespace {

constexpr Index rows = 12, channels = 4;
constexpr int starts = 200, steps = 12;

/// Weights that no one would wish for: 20 kinds, each with other random numbers.
Tensor adversarial_weights(int start) {
  Tensor weights(Shape{rows, channels});
  Random(static_cast<std::uint64_t>(start + 1)).fill_normal(weights);
  const int kind = start % 20;
  Index i = 0;
  for (float& w : weights.span<float>()) {
    const Index channel = i % channels, row = i / channels;
    ++i;
    switch (kind) {
      case 0: w = 0; break;                     // nothing at all
      case 1: w = channel == 1 ? 0 : w; break;  // a dead channel
      case 2: w = channel == 1 ? w : 0; break;  // all dead but one
      case 3: w *= 1e-8F; break;
      case 4: w *= 1e8F; break;
      case 5: w *= channel == 0 ? 1e8F : 1e-8F; break;  // side by side
      case 6: w = 3; break;                             // constants
      case 7: w = -3; break;
      case 8: w = 1e8F; break;
      case 9: w = -1e-8F; break;
      case 10: w = row == 0 ? 1e4F : w; break;  // one outlier per channel
      case 11: w = row == 0 ? -1e8F : 1e-3F * w; break;
      case 12: w = row == 0 && channel == 2 ? 1e6F : w; break;  // one in all
      case 13: w = std::abs(w); break;                          // one sign
      case 14: w = -std::abs(w); break;
      case 15: w = row % 2 == 0 ? 1.0F : -1.0F; break;  // two values
      case 16: w = row == 5 ? w : 0; break;             // a single weight
      case 17: w = row == 5 ? 1e-20F : 0; break;
      case 18: w = std::pow(w, 9.0F); break;  // heavy tails
      default: break;                         // from scratch
    }
  }
  return weights;
}

/// What the quantized weights shall become: often nothing like the start.
Tensor target(int start, const Tensor& weights) {
  Tensor wanted(weights.shape());
  Random(static_cast<std::uint64_t>(start + 1000)).fill_normal(wanted);
  const float magnitudes[] = {1, 0, 1e-8F, 1e6F, -1};
  const float magnitude = magnitudes[start % 5];
  auto values = wanted.span<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = magnitude < 0 ? -weights.span<float>()[i] : values[i] * magnitude;
  return wanted;
}

struct Learner {
  std::string identifier;
  QuantizationMethod method;
  bool weights;
};

std::vector<Learner> learners() {
  std::vector<Learner> result;
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (entry.mark.identifier.starts_with("mct-") || entry.class_name.find("::") != std::string::npos) continue;
    for (std::size_t m = 0; m < entry.mark.method_count; ++m)
      result.push_back({std::string(entry.mark.identifier), entry.mark.methods[m],
                        entry.mark.target == QuantizationTarget::Weights});
  }
  return result;
}

TrainablePtr make(const Learner& learner, int bits, const Tensor& weights) {
  const QuantizerSpec spec{.quantizer = learner.identifier, .bits = bits, .method = learner.method};
  TrainablePtr quantizer;
  if (learner.weights) {
    TrainableQuantizerWeightsConfig config;
    config.method = learner.method;
    config.n_bits = bits;
    const TrainableEntry& entry =
        get_trainable_quantizer_class(QuantizationTarget::Weights, learner.identifier, learner.method);
    config.quantization_params =
        entry.weights_start ? entry.weights_start(weights, config) : calibrate_weights(weights, spec);
    quantizer = make_trainable(learner.identifier, config);
  } else {
    TrainableQuantizerActivationConfig config;
    config.method = learner.method;
    config.n_bits = bits;
    config.quantization_params = calibrate_activations(weights, spec, false);
    quantizer = make_trainable(learner.identifier, config);
  }
  quantizer->initialize_quantization(learner.weights ? std::optional<Shape>(weights.shape()) : std::nullopt, "w");
  return quantizer;
}

/// SGD with momentum, or Adam with rates in the parameters' units as the trainer sets them.
std::unique_ptr<Optimizer> make_optimizer(bool adam, const std::vector<NamedParameter>& parameters) {
  if (!adam) return std::make_unique<Sgd>(parameters, SgdOptions{.learning_rate = 0.3, .momentum = 0.9});
  std::vector<OptimizerGroup> groups;
  for (const NamedParameter& each : parameters) {
    const double unit = each.parameter->unit().value_or(root_mean_square(each.parameter->value()));
    groups.push_back({{each}, {.learning_rate_scale = unit}});
  }
  return std::make_unique<Adam>(groups, AdamOptions{.learning_rate = 0.3});
}

bool all_finite(const Tensor& x) {
  for (const float value : x.span<float>())
    if (!std::isfinite(value)) return false;
  return true;
}

/// Trains; returns how often a step's parameter was zero or negative, where only the floor keeps the step positive.
int train(const Learner& learner, int start, bool adam) {
  const Tensor weights = adversarial_weights(start), wanted = target(start, weights);
  const int bits[] = {2, 4, 8};
  const TrainablePtr quantizer = make(learner, bits[start / 20 % 3], weights);
  const auto kernel = std::make_shared<Parameter>("kernel", weights.clone());
  std::vector<NamedParameter> parameters{{"kernel", kernel}};
  for (const auto& variable : quantizer->variables()) parameters.push_back({variable.key, variable.parameter});
  const auto optimizer = make_optimizer(adam, parameters);
  int floored = 0;
  for (int step = 0; step < steps; ++step) {
    quantizer->set_training_progress(static_cast<double>(step) / steps);
    optimizer->zero_gradient();
    {
      Tape tape;
      const Variable y = (*quantizer)(variable_of(kernel), true);
      REQUIRE(all_finite(y.value()));
      const Variable error = y - wanted;
      tape.backward(mean(error * error));
    }
    optimizer->step();
    for (const NamedParameter& each : parameters) {
      REQUIRE(all_finite(each.parameter->value()));
      if (!each.name.starts_with("scale")) continue;
      for (const float value : each.parameter->value().span<float>()) floored += value <= 0 ? 1 : 0;
    }
    const Grid grid = quantizer->convert2inferable()->grid();
    for (const float scale : grid.scale) REQUIRE((scale > 0 && std::isfinite(scale)));
  }
  return floored;
}

}  // namespace

TEST_CASE("200 adversarial starts: nothing becomes NaN, no scale zero or negative") {
  for (const Learner& learner : learners())
    for (const bool adam : {false, true}) {
      int floored = 0;
      for (int start = 0; start < starts; ++start) {
        INFO(learner.identifier << ' ' << name_of(learner.method) << (learner.weights ? " weights" : " activations")
                                << ", start " << start << (adam ? ", adam" : ", sgd"));
        floored += train(learner, start, adam);
      }
      INFO(learner.identifier << (adam ? ", adam" : ", sgd"));
      // The starts are adversarial enough to need the floor; exponents need none.
      CHECK((floored > 0 || learner.identifier == "lsq-pot"));
    }
}
