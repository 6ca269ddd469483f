// bitgrad bench scale
#include <CLI/App.hpp>
#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/bench/options.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/train_measurement.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/training_options.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* help =
    R"(Varies one thing at a time and trains: the batch, the width of the model, the number of threads, the instruction set,
and a busy neighbour (one thread that spins). The last column says what bounds a step: the slowest operations with
their share of the step, and how near they come to a ceiling of the machine, GFLOP/s of multiply-adds for convolutions
and matrix products, GB/s of a copy for the others.

Examples:
    bitgrad bench scale --model resnet8 --mode lsq
    bitgrad bench scale --model lenet5 --mode float --batches 1,64 --widths 1 --seconds 0.5)";

struct ScaleBenchmark {
  Workload workload;
  Measuring measuring{.seconds = 1};
  std::string optimizer = "adam";
  std::vector<Index> batches{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, widths{1, 2, 4};

  void check() const;
  void run() const;
};

/// One line of the table.
struct Setting {
  std::string sweep;  ///< "batch": what is varied
  std::string value;  ///< "128"
  Workload workload;
  int threads = 1;
  kernels::Isa isa = kernels::Isa::base;
  bool neighbour = false;
};

struct Result {
  Setting setting;
  TrainMeasurement measured;
  Peaks peaks;
};

/// A thread of its own that keeps a processor busy while it lives.
class BusyNeighbour {
 public:
  explicit BusyNeighbour(bool busy) {
    if (busy)
      thread_ = std::thread([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
  }
  ~BusyNeighbour() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  BusyNeighbour(const BusyNeighbour&) = delete;
  BusyNeighbour& operator=(const BusyNeighbour&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::vector<Setting> settings_of(const ScaleBenchmark& benchmark) {
  const int threads = num_threads();
  const Setting usual{"", "", benchmark.workload, threads, kernels::active_isa(), false};
  std::vector<Setting> settings;
  const auto add = [&](const char* sweep, const std::string& value, const auto& change) {
    settings.push_back(usual);
    settings.back().sweep = sweep;
    settings.back().value = value;
    change(settings.back());
  };
  for (const Index batch : benchmark.batches)
    add("batch", std::to_string(batch), [&](Setting& s) { s.workload.batch = batch; });
  for (const Index width : benchmark.widths)
    add("width", std::to_string(width), [&](Setting& s) { s.workload.width = width; });
  for (int count = 1; count <= threads; count *= 2)
    add("threads", std::to_string(count), [&](Setting& s) { s.threads = count; });
  for (const kernels::Isa isa : kernels::all_isas)
    if (kernels::isa_available(isa))
      add("kernels", std::string(kernels::name_of(isa)), [&](Setting& s) { s.isa = isa; });
  add("neighbours", "1", [](Setting& s) { s.neighbour = true; });
  return settings;
}

Result measure(const Setting& setting, const std::string& optimizer, double seconds) {
  set_num_threads(setting.threads);
  kernels::set_isa(setting.isa);
  release_cached_memory();  // of the setting before
  const Peaks peaks = measure_peaks(0.1);
  const BusyNeighbour neighbour(setting.neighbour);
  return {setting, measure_training(setting.workload, {.optimizer = optimizer}, seconds), peaks};
}

/// "conv2d 52 % of the step at 61 % of peak, lsq 14 % at 80 % of copy": the three slowest parts.
std::string bounds_of(const Result& result) {
  const StepSplit& split = result.measured.split;
  std::string text;
  const std::vector<StepShare> shares = split.by_name();
  for (const StepShare& share : std::span(shares).first(std::min<std::size_t>(3, shares.size()))) {
    const Row speed = speed_cells(share.work, share.ms(), result.peaks);
    const std::string ceiling = speed[1].empty() ? speed[3] + " of copy" : speed[1] + " of peak";
    text += (text.empty() ? "" : "; ") + share.name + format(" %.0f %%", 100 * share.ms() / split.step_ms) + " at " +
            ceiling;
  }
  return text;
}

Row row_of(const Result& result) {
  return {result.setting.sweep,
          result.setting.value,
          format("%.0f", result.measured.images_per_second),
          format("%.3f", result.measured.step_ms.median),
          format("%.1f", result.measured.tensor_memory_mib),
          "  " + bounds_of(result)};
}

Json json_of(const Result& result) {
  Json json = Json::parse(result.setting.workload.to_json());
  json.update(Json{{"sweep", result.setting.sweep},
                   {"threads", result.setting.threads},
                   {"isa", kernels::name_of(result.setting.isa)},
                   {"busy_neighbours", result.setting.neighbour ? 1 : 0},
                   {"images_per_second", result.measured.images_per_second},
                   {"step_ms", result.measured.step_ms.median},
                   {"step_ms_quantiles", Json::parse(to_json(result.measured.step_ms))},
                   {"tensor_memory_mib", result.measured.tensor_memory_mib},
                   {"fma_gflops", result.peaks.fma_gflops},
                   {"copy_gb_per_s", result.peaks.copy_gb_per_s},
                   {"bounds", bounds_of(result)}});
  return json;
}

void ScaleBenchmark::check() const {
  workload.check();
  measuring.check();
  require_known("optimizer", optimizer, optimizer_names());
  for (const Index batch : batches)
    if (batch < 1) fail<UsageError>("--batches ", batch, ": expected at least 1");
  for (const Index width : widths)
    if (width < 1 || width > 64) fail<UsageError>("--widths ", width, ": expected 1 to 64");
}

void ScaleBenchmark::run() const {
  check();
  measuring.apply();
  const int threads = num_threads();
  const kernels::Isa isa = kernels::active_isa();
  const Machine machine = describe_machine();
  std::cout << workload.describe() << ", " << optimizer << '\n' << describe(machine) << "\n\n";

  std::vector<Row> rows{{"varied", "", "images/s", "step ms", "tensors MiB", "  what takes the time"}};
  Json list = Json::array();
  for (const Setting& setting : settings_of(*this)) {
    const Result result = measure(setting, optimizer, measuring.seconds);
    if (rows.size() > 1 && setting.value == "1") rows.emplace_back();
    rows.push_back(row_of(result));
    list.push_back(json_of(result));
  }
  set_num_threads(threads);
  kernels::set_isa(isa);
  std::cout << text_table(rows) << '\n' << speed_note() << std::flush;
  const Peaks peaks = measure_peaks(0.1);
  const Json json = {{"benchmark", "scale"},
                     {"version", BITGRAD_VERSION},
                     {"machine", Json::parse(to_json(machine, peaks))},
                     {"settings", list}};
  write_result(measuring.json, json.dump());
}

}  // namespace

void add_bench_scale_command(CLI::App& bench) {
  CLI::App* command =
      bench.add_subcommand("scale", "Training against batch, width, threads, instruction set, a busy neighbour");
  command->footer(help);
  const auto options = std::make_shared<ScaleBenchmark>();
  options->workload.declare(*command);
  const char* group = "The work";
  command->add_option("--optimizer", options->optimizer, joined(optimizer_names()))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command->add_option("--batches", options->batches, "Batches")
      ->type_name("N,N,...")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  command->add_option("--widths", options->widths, "Widths")
      ->type_name("N,N,...")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  options->measuring.declare(*command, "Seconds of timing steps, for each line of the table");
  command->callback([options, command] {
    options->workload.refuse_idle(*command);
    options->run();
  });
}

}  // namespace bitgrad::cli
