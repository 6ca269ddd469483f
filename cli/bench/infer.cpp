// bitgrad bench infer
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/bench/options.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/timing.hpp>
#include <bitgrad/cli/bench/workload.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/integer_engine.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* help =
    R"(Freezes a model with random weights and runs its graph: images in, logits out. images/s is the batch divided by the
median time of a batch. The float engine carries codes through exact float32 products, the integer engine computes
with integers; both give the same numbers. With --mode float the graph is the float model, to compare with.

Examples:
    bitgrad bench infer --model resnet8 --mode lsq --engine integer --batch 1
    bitgrad bench infer --model resnet8 --mode float --batch 32)";

struct InferBenchmark {
  Workload workload;
  Measuring measuring;
  std::string engine = "float";

  void check() const;
  void run() const;
};

struct InferMeasurement {
  std::vector<double> batches_ms;
  double peak_memory_mib = 0, tensor_memory_mib = 0;
};

InferMeasurement measure(const Workload& workload, const std::string& engine, double seconds) {
  const InferenceGraph graph = convert2inferable(workload.make());
  const Tensor images =
      data::to_unit_range(synthetic_dataset(workload.input_shape(), workload_classes, workload.batch).images);
  reset_peak_memory();
  InferMeasurement result;
  if (engine == "integer") {
    const IntegerEngine integers(graph);
    result.batches_ms = time_calls(seconds, [&] { integers.run(images); });
  } else {
    result.batches_ms = time_calls(seconds, [&] { graph.run(images); });
  }
  result.peak_memory_mib = peak_memory_mib();
  result.tensor_memory_mib = static_cast<double>(memory_statistics().peak) / (1 << 20);
  return result;
}

void InferBenchmark::check() const {
  workload.check();
  measuring.check();
  require_known("engine", engine, {"float", "integer"});
  if (engine == "integer" && workload.mode == "float")
    throw UsageError("--engine integer --mode float: a float model has no integers; --mode lsq and ste have");
}

void InferBenchmark::run() const {
  check();
  measuring.apply();
  const Machine machine = describe_machine();
  const InferMeasurement result = measure(workload, engine, measuring.seconds);
  const Peaks peaks = measure_peaks(std::min(0.5, measuring.seconds));
  const Quantiles batch = quantiles(result.batches_ms);
  const double images_per_second = 1000 * static_cast<double>(workload.batch) / batch.median;

  std::cout << workload.describe() << ", " << engine << " engine\n"
            << describe(machine) << "\n\n"
            << "images/s  " << format("%.0f", images_per_second) << '\n'
            << "batch     " << describe(batch, result.batches_ms.size()) << '\n'
            << "memory    " << format("%.1f MiB resident at most; ", result.peak_memory_mib)
            << format("tensors %.1f MiB\n", result.tensor_memory_mib) << "ceilings  " << describe(peaks) << std::endl;

  Json json = {{"benchmark", "infer"}, {"version", BITGRAD_VERSION}};
  json.update(Json::parse(workload.to_json()));
  json.update({{"engine", engine},
               {"images_per_second", images_per_second},
               {"batch_ms", batch.median},
               {"batch_ms_quantiles", Json::parse(to_json(batch))},
               {"batches", result.batches_ms.size()},
               {"peak_memory_mib", result.peak_memory_mib},
               {"tensor_memory_mib", result.tensor_memory_mib},
               {"machine", Json::parse(to_json(machine, peaks))}});
  write_result(measuring.json, json.dump());
}

}  // namespace

void add_bench_infer_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("infer", "The frozen graph: images/s and memory, by either engine");
  command->footer(help);
  const auto options = std::make_shared<InferBenchmark>();
  options->workload.declare(*command);
  command->add_option("--engine", options->engine, "float or integer")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("The work");
  options->measuring.declare(*command, "Seconds of measuring, after a warm-up");
  command->callback([options, command] {
    options->workload.refuse_idle(*command);
    options->run();
  });
}

}  // namespace bitgrad::cli
