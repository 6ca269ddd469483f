// A training loop of your own: a model without classes, a loss of your own choice, weights that are averaged.
// The anomaly detector of MLPerf Tiny learns to rebuild what is normal; what it cannot rebuild is an anomaly.
#include <cmath>
#include <iostream>

#include <bitgrad/bitgrad.hpp>

using namespace bitgrad;

namespace {

constexpr Index values = 64;

/// Sums of two waves with random phases; an anomaly has a third.
Tensor signals(Index samples, bool anomalies, std::uint64_t seed) {
  Random random(seed);
  Tensor result({samples, values});
  for (Index i = 0; i < samples; ++i) {
    const float a = random.uniform<float>() * 6.28F, b = random.uniform<float>() * 6.28F,
                c = random.uniform<float>() * 6.28F;
    for (Index t = 0; t < values; ++t) {
      const auto time = static_cast<float>(t);
      const float third = anomalies ? std::sin(1.1F * time + c) : 0.0F;
      result.span<float>()[static_cast<std::size_t>(i * values + t)] =
          std::sin(0.2F * time + a) + std::sin(0.5F * time + b) + third;
    }
  }
  return result;
}

/// How badly a model rebuilds its input.
double error_of(Model& model, const Tensor& x) { return mse(model.forward(x), x).value().item(); }

}  // namespace

int main() {
  Model model = models::autoencoder({values});
  model.build({values}, 1);

  const Index batch = 64, steps = 300;
  AdamW optimizer(group_parameters(model.parameters(), {.weight_decay = 0.01}));
  const Schedule schedule = one_cycle_schedule(5e-3, steps);
  WeightAverage average(model.parameters(), 0.99);
  for (Index step = 0; step < steps; ++step) {
    const Tensor x = signals(batch, false, static_cast<std::uint64_t>(step));
    optimizer.zero_gradient();
    {
      Tape tape;  // records what follows
      const Variable loss = mse(model.forward(x, {.training = true}), x);
      tape.backward(loss);
      if (step % 50 == 0) std::cout << "step " << step << ", loss " << loss.value().item() << '\n';
    }
    clip_gradient_norm(optimizer.parameters(), 1.0);
    optimizer.set_learning_rate(schedule.at(step));
    optimizer.step();
    average.update();
  }
  average.apply();

  const double normal = error_of(model, signals(256, false, 1000)), anomaly = error_of(model, signals(256, true, 2000));
  std::cout << "error of normal signals " << normal << ", of anomalies " << anomaly << '\n';
  return anomaly > 2 * normal ? 0 : 1;
}
