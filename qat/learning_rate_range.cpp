#include <bitgrad/qat/learning_rate_range.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/qat/trainer.hpp>

namespace bitgrad {
namespace {

constexpr Index start_steps = 10;  // until then the smoothed loss says little
constexpr double explosion = 4, learned = 0.9;

void validate(const RateRangeOptions& range) {
  if (!(range.from > 0) || !std::isfinite(range.from))
    fail<ValueError>("learning_rate_range: from is ", range.from, ", expected a positive number");
  if (!(range.to > range.from) || !std::isfinite(range.to))
    fail<ValueError>("learning_rate_range: to is ", range.to, ", expected a number greater than from, ", range.from);
  if (range.steps < 2 * start_steps)
    fail<ValueError>("learning_rate_range: steps is ", range.steps, ", expected at least ", 2 * start_steps);
  if (!(range.smoothing >= 0 && range.smoothing < 1))
    fail<ValueError>("learning_rate_range: smoothing is ", range.smoothing, ", expected at least 0 and less than 1");
}

Schedule rising(const RateRangeOptions& range) {
  return Schedule([range](Index step) {
    const double share = static_cast<double>(step) / static_cast<double>(range.steps - 1);
    return range.from * std::pow(range.to / range.from, share);
  });
}

/// The step with the lowest smoothed loss, the first of equals, not counting the start.
std::size_t lowest_step(const std::vector<RateStep>& steps) {
  const auto begin = steps.begin() + std::min<std::ptrdiff_t>(start_steps, std::ssize(steps)) - 1;
  return static_cast<std::size_t>(std::ranges::min_element(begin, steps.end(), {}, &RateStep::smoothed) -
                                  steps.begin());
}

/// Rates rise by the same factor from step to step, so that differences over a few steps compare.
double steepest_rate(const std::vector<RateStep>& steps, std::size_t lowest) {
  constexpr std::size_t across = 5;
  double fall = 0, rate = steps[lowest].rate;
  for (std::size_t i = static_cast<std::size_t>(start_steps); i + across <= lowest; ++i) {
    const double difference = steps[i].smoothed - steps[i + across].smoothed;
    if (difference <= fall) continue;
    fall = difference;
    rate = steps[i + across / 2].rate;
  }
  return rate;
}

void conclude(RateRange& result) {
  if (std::ssize(result.steps) < start_steps)
    fail<ValueError>("learning_rate_range: not finite after ", result.steps.size(), " steps",
                     ", expected a first rate that the model can take");
  const std::size_t lowest = lowest_step(result.steps);
  result.lowest = result.steps[lowest].rate;
  result.steepest = steepest_rate(result.steps, lowest);
  if (result.steps[lowest].smoothed < learned * result.steps[start_steps - 1].smoothed)
    result.highest = result.lowest / 10;
}

}  // namespace

RateRange learning_rate_range(const Model& model, const data::Dataset& train, TrainingOptions options,
                              const RateRangeOptions& range) {
  validate(range);
  options.epochs = range.steps;  // more than enough
  options.schedule = "constant";
  options.warmup_epochs = options.ema = 0;
  Model copy = model;
  Trainer trainer(copy, train, options);
  trainer.set_schedule(rising(range));
  RateRange result;
  double average = 0, weight = 0, least = 0;
  const auto step = [&](const Progress& progress) {
    average = range.smoothing * average + (1 - range.smoothing) * progress.step_loss;
    weight = range.smoothing * weight + (1 - range.smoothing);
    const double smoothed = average / weight;
    result.steps.push_back({progress.learning_rate, progress.step_loss, smoothed});
    if (std::ssize(result.steps) < start_steps) return;
    least = std::ssize(result.steps) == start_steps ? smoothed : std::min(least, smoothed);
    result.exploded = smoothed > explosion * least;
  };
  const auto stop = [&] { return result.exploded || std::ssize(result.steps) == range.steps; };
  try {
    trainer.fit({.step = step, .epoch = {}, .stop = stop});
  } catch (const DivergenceError&) {
    result.exploded = true;
  }
  conclude(result);
  return result;
}

}  // namespace bitgrad
