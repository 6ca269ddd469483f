// bitgrad bench train
#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/bench/options.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/train_measurement.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/parse.hpp>
#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/qat/training_options.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* help =
    R"(Trains as bitgrad train does, on random images, and times whole steps: images of the batch, forward, backward,
optimizer. images/s is the batch divided by the median step. A second, shorter pass splits the step: a tape tells when
each operation is done, and the time since the one before is its own; means over the steps between the quartiles,
which add up. Memory is the largest resident set of the process (VmHWM in /proc/self/status), and the largest sum of
tensors alive at one time.

--isa chooses bitgrad's kernels. OpenBLAS chooses its own when it is loaded: OPENBLAS_CORETYPE=Haswell goes with avx2,
OPENBLAS_CORETYPE=Prescott with base, and nothing with avx512.

Examples:
    bitgrad bench train --model resnet8 --mode lsq --batch 32
    bitgrad bench train --model resnet8 --mode float --batch 128 --threads 1 --layers
    bitgrad bench train --model resnet8 --augment flip,shift:4,rotate:10
    OPENBLAS_CORETYPE=Haswell bitgrad bench train --model lenet5 --mode ste --batch 64 --isa avx2 --json lenet5.json)";

struct TrainBenchmark {
  Workload workload;
  Measuring measuring;
  TrainingSetup setup;
  bool layers = false;

  void run() const;
};

Row row_of(const StepShare& share, double step_ms, const Peaks& peaks) {
  Row row{share.name,
          std::to_string(share.calls),
          format("%.3f", share.forward_ms),
          format("%.3f", share.backward_ms),
          format("%.3f", share.ms()),
          format("%.1f %%", 100 * share.ms() / step_ms)};
  const Row speed = speed_cells(share.work, share.ms(), peaks);
  row.insert(row.end(), speed.begin(), speed.end());
  return row;
}

std::string split_table(const char* what, const std::vector<StepShare>& shares, const StepSplit& split,
                        const Peaks& peaks) {
  std::vector<Row> rows{{what, "calls", "forward ms", "backward ms", "both ms", "share"}};
  const Row headings = speed_headings();
  rows.front().insert(rows.front().end(), headings.begin(), headings.end());
  for (const StepShare& share : shares) rows.push_back(row_of(share, split.step_ms, peaks));
  const auto outside = [&](const char* name, double ms) {
    rows.push_back({name, "", "", "", format("%.3f", ms), format("%.1f %%", 100 * ms / split.step_ms)});
  };
  outside("(next batch)", split.batch_ms);
  outside("(optimizer, checks)", split.optimizer_ms);
  outside("step", split.step_ms);
  return text_table(rows);
}

Json split_json(const std::vector<StepShare>& shares, const StepSplit& split, const Peaks& peaks) {
  Json list = Json::array();
  for (const StepShare& share : shares) {
    Json entry = {{"name", share.name},
                  {"calls", share.calls},
                  {"forward_ms", share.forward_ms},
                  {"backward_ms", share.backward_ms},
                  {"share_of_step", share.ms() / split.step_ms}};
    entry.update(Json::parse(speed_to_json(share.work, share.ms(), peaks)));
    list.push_back(std::move(entry));
  }
  return list;
}

void TrainBenchmark::run() const {
  workload.check();
  measuring.check();
  require_known("optimizer", setup.optimizer, optimizer_names());
  parse("--augment", setup.augmentation, data::parse_augmentation);
  measuring.apply();
  const Machine machine = describe_machine();
  const TrainMeasurement result = measure_training(workload, setup, measuring.seconds);
  const Peaks peaks = measure_peaks(std::min(0.5, measuring.seconds));
  const StepSplit& split = result.split;

  const Quantiles& step = result.step_ms;
  std::cout << workload.describe() << ", " << setup.optimizer
            << (setup.augmentation == "none" ? "" : ", augmented by " + setup.augmentation) << '\n'
            << describe(machine) << "\n\n";
  std::cout << "images/s  " << format("%.0f", result.images_per_second) << '\n'
            << "step      " << describe(step, result.steps) << "\nmemory    "
            << format("%.1f MiB resident at most, ", result.peak_memory_mib)
            << format("%.1f before the first step; ", result.baseline_memory_mib)
            << format("tensors %.1f MiB\n", result.tensor_memory_mib) << "ceilings  " << describe(peaks) << "\n\n";
  std::cout << split_table("operation", split.by_name(), split, peaks) << '\n';
  if (layers) std::cout << split_table("layer", split.by_layer(), split, peaks) << '\n';
  std::cout << speed_note() << std::flush;

  Json json = {{"benchmark", "train"}, {"version", BITGRAD_VERSION}};
  json.update(Json::parse(workload.to_json()));
  json.update({{"optimizer", setup.optimizer},
               {"augmentation", setup.augmentation},
               {"images_per_second", result.images_per_second},
               {"step_ms", step.median},
               {"step_ms_quantiles", Json::parse(to_json(step))},
               {"steps", result.steps},
               {"peak_memory_mib", result.peak_memory_mib},
               {"baseline_memory_mib", result.baseline_memory_mib},
               {"tensor_memory_mib", result.tensor_memory_mib},
               {"machine", Json::parse(to_json(machine, peaks))},
               {"split",
                {{"steps", split.steps},
                 {"step_ms", split.step_ms},
                 {"batch_ms", split.batch_ms},
                 {"optimizer_ms", split.optimizer_ms},
                 {"by_name", split_json(split.by_name(), split, peaks)},
                 {"operations", split_json(split.operations, split, peaks)}}}});
  write_result(measuring.json, json.dump());
}

}  // namespace

void add_bench_train_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("train", "A training step: images/s, memory, and where the time goes");
  command->footer(help);
  const auto options = std::make_shared<TrainBenchmark>();
  options->workload.declare(*command);
  command->add_option("--optimizer", options->setup.optimizer, joined(optimizer_names()))
      ->type_name("NAME")
      ->capture_default_str()
      ->group("The work");
  command->add_option("--augment", options->setup.augmentation, "Random changes to images, as bitgrad train takes them")
      ->type_name("STEPS")
      ->capture_default_str()
      ->group("The work");
  options->measuring.declare(*command, "Seconds of timing whole steps; warm-up and split come on top");
  command->add_flag("--layers", options->layers, "Print the split by layers as well")->group("Measuring");
  command->callback([options, command] {
    options->workload.refuse_idle(*command);
    options->run();
  });
}

}  // namespace bitgrad::cli
