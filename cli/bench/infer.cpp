// bitgrad bench infer
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/bench/infer_measurement.hpp>
#include <bitgrad/cli/bench/options.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/workload.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/engine.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* help =
    R"(Freezes a model with random weights and runs its graph: images in, logits out. images/s is the batch divided by the
median time of a batch. The float engine carries codes through exact float32 products, the integer engine computes
with integers; both give the same numbers. With --mode float the graph is the float model, to compare with. --save
keeps the graph, for bitgrad export and --run.

With --run the graph is that of a run: latency at batch 1 and throughput at batch 32, by both engines, or by the one
and at the batch that --engine and --batch name.

Examples:
    bitgrad bench infer --model resnet8 --mode lsq --engine integer --batch 1
    bitgrad bench infer --model resnet8 --mode float --batch 32
    bitgrad bench infer --run runs/w4a4
    bitgrad bench infer --run runs/w4a4 --engine integer --threads 1 --json w4a4.json)";

struct InferBenchmark {
  Workload workload;
  Measuring measuring;
  std::string engine = "float", directory, save;
  bool engine_chosen = false, batch_chosen = false;

  void check() const;
  void run() const;
  void run_model(const Machine& machine) const;
  void run_directory(const Machine& machine) const;
  void report_model(const Machine& machine, const Peaks& peaks, const InferMeasurement& result) const;
  std::vector<InferMeasurement> measure_directory(const InferenceGraph& graph) const;
};

void InferBenchmark::check() const {
  workload.check();
  measuring.check();
  check_engine(engine);
  if (engine == "integer" && workload.mode == "float")
    throw UsageError("--engine integer --mode float: a float model has no integers; --mode lsq and ste have");
}

void InferBenchmark::run() const {
  check();
  measuring.apply();
  const Machine machine = describe_machine();
  if (directory.empty())
    run_model(machine);
  else
    run_directory(machine);
}

void InferBenchmark::run_model(const Machine& machine) const {
  const InferenceGraph graph = convert2inferable(workload.make());
  if (!save.empty()) {
    const RunDirectory target{save};
    target.create();
    graph.save(target.graph().string());
  }
  const InferMeasurement result = measure_inference(graph, engine, workload.batch, measuring.seconds);
  report_model(machine, measure_peaks(std::min(0.5, measuring.seconds)), result);
}

void InferBenchmark::report_model(const Machine& machine, const Peaks& peaks, const InferMeasurement& result) const {
  std::cout << workload.describe() << ", " << engine << " engine\n"
            << describe(machine) << "\n\n"
            << "images/s  " << format("%.0f", result.images_per_second()) << '\n'
            << "batch     " << describe(result.batch_ms, result.batches) << '\n'
            << "memory    " << format("%.1f MiB resident at most; ", result.peak_memory_mib)
            << format("tensors %.1f MiB\n", result.tensor_memory_mib) << "ceilings  " << describe(peaks) << std::endl;
  Json json = {{"benchmark", "infer"}, {"version", BITGRAD_VERSION}};
  json.update(Json::parse(workload.to_json()));
  json.update(Json::parse(to_json(result)));
  json["machine"] = Json::parse(to_json(machine, peaks));
  write_result(measuring.json, json.dump());
}

std::vector<InferMeasurement> InferBenchmark::measure_directory(const InferenceGraph& graph) const {
  const std::vector<std::string> engines =
      engine_chosen ? std::vector{engine} : std::vector<std::string>{"integer", "float"};
  const std::vector<Index> batches = batch_chosen ? std::vector{workload.batch} : std::vector<Index>{1, 32};
  std::vector<InferMeasurement> results;
  for (const Index batch : batches)
    for (const std::string& each : engines) results.push_back(measure_inference(graph, each, batch, measuring.seconds));
  return results;
}

void InferBenchmark::run_directory(const Machine& machine) const {
  const InferenceGraph graph = load_graph({directory});
  const std::vector<InferMeasurement> results = measure_directory(graph);
  const Peaks peaks = measure_peaks(std::min(0.5, measuring.seconds));

  std::vector<Row> rows{{"engine", "batch", "median ms", "95 % ms", "images/s", "tensors MiB"}};
  Json measurements = Json::array();
  for (const InferMeasurement& each : results) {
    rows.push_back({each.engine, std::to_string(each.batch), format("%.4f", each.batch_ms.median),
                    format("%.4f", each.batch_ms.p95), format("%.0f", each.images_per_second()),
                    format("%.2f", each.tensor_memory_mib)});
    measurements.push_back(Json::parse(to_json(each)));
  }
  std::cout << RunDirectory{directory}.name() << ' ' << graph.tensors[static_cast<std::size_t>(graph.input)].shape
            << ", requantization " << name_of(graph.mode) << '\n'
            << describe(machine) << "\n\n"
            << text_table(rows) << "\nceilings  " << describe(peaks) << std::endl;
  const Json json = {{"benchmark", "infer"},
                     {"version", BITGRAD_VERSION},
                     {"run", directory},
                     {"requantization", name_of(graph.mode)},
                     {"measurements", measurements},
                     {"machine", Json::parse(to_json(machine, peaks))}};
  write_result(measuring.json, json.dump());
}

}  // namespace

void add_bench_infer_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("infer", "The frozen graph: images/s, latency and memory, by either engine");
  command->footer(help);
  const auto options = std::make_shared<InferBenchmark>();
  options->workload.declare(*command);
  CLI::Option* engine = command->add_option("--engine", options->engine, "float or integer")
                            ->type_name("NAME")
                            ->capture_default_str()
                            ->group("The work");
  CLI::Option* run = command
                         ->add_option("--run", options->directory,
                                      "A directory that bitgrad train or --save wrote, instead of a model")
                         ->type_name("DIR")
                         ->group("The work");
  CLI::Option* save = command->add_option("--save", options->save, "Keep the model's graph in a directory")
                          ->type_name("DIR")
                          ->group("The work");
  for (const char* other : {"--model", "--mode", "--bits", "--width"}) run->excludes(command->get_option(other));
  run->excludes(save);
  options->measuring.declare(*command, "Seconds of each measurement, after a warm-up");
  command->callback([options, command, engine, batch = command->get_option("--batch")] {
    options->workload.refuse_idle(*command);
    options->engine_chosen = engine->count() > 0;
    options->batch_chosen = batch->count() > 0;
    options->run();
  });
}

}  // namespace bitgrad::cli
