#include <bitgrad/autograd/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

void check_rate(const char* name, double rate) {
  if (!(rate >= 0) || !std::isfinite(rate))
    fail<ValueError>(name, ": the rate is ", rate, ", expected a finite number >= 0");
}

void check_steps(const char* name, Index steps) {
  if (steps < 0) fail<ValueError>(name, ": ", steps, " steps, expected 0 or more");
}

}  // namespace

Schedule::Schedule(std::function<double(Index)> rate) : rate_(std::move(rate)) {
  if (!rate_) fail<ValueError>("Schedule: the function is empty");
}

double Schedule::at(Index step) const {
  if (step < 0) fail<ValueError>("Schedule: step is ", step, ", expected 0 or more");
  return rate_(step);
}

Schedule Schedule::with_warmup(Index steps) const {
  check_steps("Schedule::with_warmup", steps);
  return Schedule([=, *this](Index step) {
    return step < steps ? at(0) * static_cast<double>(step + 1) / static_cast<double>(steps) : at(step - steps);
  });
}

Schedule Schedule::then(Index steps, const Schedule& next) const {
  check_steps("Schedule::then", steps);
  return Schedule([=, *this](Index step) { return step < steps ? at(step) : next.at(step - steps); });
}

Schedule constant_schedule(double rate) {
  check_rate("constant_schedule", rate);
  return Schedule([rate](Index) { return rate; });
}

Schedule step_schedule(double rate, const std::vector<Index>& milestones, double factor) {
  check_rate("step_schedule", rate);
  if (!(factor > 0) || !std::isfinite(factor))
    fail<ValueError>("step_schedule: factor is ", factor, ", expected a positive number");
  for (std::size_t i = 0; i < milestones.size(); ++i)
    if (milestones[i] < 0 || (i > 0 && milestones[i] <= milestones[i - 1]))
      fail<ValueError>("step_schedule: milestone ", i, " is ", milestones[i], ", expected increasing steps from 0 on");
  return Schedule([=](Index step) {
    double result = rate;
    for (const Index milestone : milestones)
      if (step >= milestone) result *= factor;
    return result;
  });
}

Schedule exponential_schedule(double rate, double factor) {
  check_rate("exponential_schedule", rate);
  if (!(factor > 0 && factor <= 1))
    fail<ValueError>("exponential_schedule: factor is ", factor, ", expected more than 0 and at most 1");
  return Schedule([=](Index step) { return rate * std::pow(factor, static_cast<double>(step)); });
}

Schedule one_cycle_schedule(double rate, Index steps) {
  constexpr double rising = 0.3, first = 1.0 / 25, last = first / 1e4;
  check_rate("one_cycle_schedule", rate);
  if (steps <= 0) fail<ValueError>("one_cycle_schedule: ", steps, " steps, expected 1 or more");
  const auto peak = static_cast<Index>(std::llround(rising * static_cast<double>(steps)));
  const Schedule down = cosine_schedule(rate, std::max<Index>(1, steps - peak), rate * last);
  return peak > 0 ? cosine_schedule(rate * first, peak, rate).then(peak, down) : down;
}

Schedule cosine_schedule(double rate, Index steps, double final_rate) {
  check_rate("cosine_schedule", rate);
  check_rate("cosine_schedule", final_rate);
  if (steps <= 0) fail<ValueError>("cosine_schedule: ", steps, " steps, expected 1 or more");
  return Schedule([=](Index step) {
    if (step >= steps) return final_rate;
    const double share = static_cast<double>(step) / static_cast<double>(steps);
    return final_rate + (rate - final_rate) * (1 + std::cos(std::numbers::pi * share)) / 2;
  });
}

}  // namespace bitgrad
