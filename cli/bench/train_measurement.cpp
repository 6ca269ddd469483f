#include <bitgrad/cli/bench/train_measurement.hpp>

#include <algorithm>
#include <chrono>
#include <functional>

#include <bitgrad/autograd/operation_timer.hpp>
#include <bitgrad/cli/bench/machine.hpp>
#include <bitgrad/cli/bench/timing.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/qat/trainer.hpp>

namespace bitgrad::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t fewest_steps = 5;
constexpr Index batches = 8;  // of the synthetic data set
constexpr double mib = 1 << 20;

TrainingOptions training_options(const Workload& workload, const TrainingSetup& setup) {
  return {.epochs = 1'000'000,  // until the time is up
          .batch = workload.batch,
          .optimizer = setup.optimizer,
          .learning_rate = 1e-5,
          .schedule = "constant",
          .augmentation = setup.augmentation};
}

/// Trains until `seconds` have passed and a few steps are done; `step_done(begin, end)` after each.
void train_for(Trainer& trainer, double seconds,
               const std::function<void(Clock::time_point, Clock::time_point)>& step_done) {
  struct TimeIsUp {};
  const Clock::time_point start = Clock::now();
  Clock::time_point begin = start;
  std::size_t steps = 0;
  const auto after_step = [&](const Progress&) {
    const Clock::time_point end = Clock::now();
    step_done(begin, end);
    if (++steps >= fewest_steps && milliseconds(end - start) >= 1000 * seconds) throw TimeIsUp();
    begin = Clock::now();
  };
  try {
    trainer.fit({.step = after_step, .epoch = {}});
  } catch (const TimeIsUp&) {
  }
}

/// One step of the split pass.
struct SplitStep {
  double batch_ms, optimizer_ms;
  std::vector<OperationTime> operations;

  double ms() const {
    double sum = batch_ms + optimizer_ms;
    for (const OperationTime& each : operations) sum += 1000 * (each.forward_seconds + each.backward_seconds);
    return sum;
  }
};

std::vector<SplitStep> split_steps(Trainer& trainer, double seconds) {
  constexpr std::size_t most_steps = 1000;
  OperationTimer timer;
  std::vector<SplitStep> steps;
  train_for(trainer, seconds, [&](Clock::time_point begin, Clock::time_point end) {
    if (steps.size() < most_steps)
      steps.push_back(
          {milliseconds(timer.began() - begin), milliseconds(end - timer.last_event()), timer.operations()});
    timer.reset();
  });
  return steps;
}

StepSplit average(std::vector<SplitStep> steps) {
  std::ranges::sort(steps, {}, &SplitStep::ms);
  const std::size_t cut = steps.size() / 4;
  const std::span middle = std::span(steps).subspan(cut, steps.size() - 2 * cut);
  StepSplit split{.steps = middle.size()};
  const double share = 1 / static_cast<double>(middle.size());
  for (const SplitStep& step : middle) {
    split.step_ms += share * step.ms();
    split.batch_ms += share * step.batch_ms;
    split.optimizer_ms += share * step.optimizer_ms;
    for (std::size_t i = 0; i < step.operations.size(); ++i) {
      const OperationTime& operation = step.operations[i];
      if (i == split.operations.size()) split.operations.push_back({operation.path, operation.calls, 0, 0, {}});
      split.operations[i].forward_ms += share * 1000 * operation.forward_seconds;
      split.operations[i].backward_ms += share * 1000 * operation.backward_seconds;
    }
  }
  for (std::size_t i = 0; i < split.operations.size(); ++i) {
    StepShare& operation = split.operations[i];
    const OperationTime& last = middle.back().operations[i];
    operation.work += static_cast<double>(operation.calls) * forward_work(last);
    operation.work += static_cast<double>(operation.calls) * backward_work(last);
  }
  return split;
}

/// Shares added up under new names, in order of their first appearance.
std::vector<StepShare> grouped(const std::vector<StepShare>& shares,
                               const std::function<std::string(const std::string&)>& rename) {
  std::vector<StepShare> groups;
  for (const StepShare& share : shares) {
    const std::string name = rename(share.name);
    auto group = std::ranges::find(groups, name, &StepShare::name);
    if (group == groups.end()) group = groups.insert(groups.end(), StepShare{.name = name});
    group->calls += share.calls;
    group->forward_ms += share.forward_ms;
    group->backward_ms += share.backward_ms;
    group->work += share.work;
  }
  return groups;
}

}  // namespace

std::vector<StepShare> StepSplit::by_name() const {
  auto groups = grouped(operations, [](const std::string& path) { return path.substr(path.rfind('/') + 1); });
  std::ranges::stable_sort(groups, std::greater<>(), &StepShare::ms);
  return groups;
}

std::vector<StepShare> StepSplit::by_layer() const {
  return grouped(operations, [](const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string("model") : path.substr(0, slash);
  });
}

TrainMeasurement measure_training(const Workload& workload, const TrainingSetup& setup, double seconds) {
  TrainMeasurement result;
  Model model = workload.make();
  Trainer trainer(model, synthetic_dataset(workload.input_shape(), workload_classes, batches * workload.batch),
                  training_options(workload, setup));
  result.baseline_memory_mib = peak_memory_mib();
  reset_peak_memory();
  const auto nothing = [](Clock::time_point, Clock::time_point) {};
  train_for(trainer, std::min(1.0, seconds / 4), nothing);

  std::vector<double> steps;
  train_for(trainer, seconds,
            [&](Clock::time_point begin, Clock::time_point end) { steps.push_back(milliseconds(end - begin)); });
  // The kernel's count lags by some pages per thread, so that a later reading may be the smaller one.
  result.peak_memory_mib = std::max(result.baseline_memory_mib, peak_memory_mib());
  result.tensor_memory_mib = static_cast<double>(memory_statistics().peak) / mib;
  result.steps = steps.size();
  result.step_ms = quantiles(std::move(steps));
  result.images_per_second = 1000 * static_cast<double>(workload.batch) / result.step_ms.median;
  result.split = average(split_steps(trainer, seconds / 4));
  return result;
}

}  // namespace bitgrad::cli
