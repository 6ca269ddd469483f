// bitgrad bench kernels
#include <CLI/App.hpp>
#include <algorithm>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/bench/kernel_cases.hpp>
#include <bitgrad/cli/bench/options.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/timing.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* help =
    R"(Times single operations as a training step runs them: forward, and backward for each gradient, on a tape, with buffers
from the pool. The last lines copy 10^7 numbers: what an operation on as many elements can reach at best.

Examples:
    bitgrad bench kernels --only conv2d --batch 32
    bitgrad bench kernels --isa avx2 --threads 1 --json avx2.json)";

struct KernelBenchmark {
  Measuring measuring{.seconds = 0.2};
  Index batch = 32;
  std::string only;

  void run() const;
};

/// A pass over an operation: its samples and what it had to do.
struct Pass {
  std::string operation, detail, shape, name;
  Quantiles ms;
  Work work;
};

std::vector<Tensor> random_inputs(const KernelCase& kernel) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : kernel.inputs) {
    Random random(1, inputs.size());
    Tensor input(shape);
    // Steps of quantizers have to be positive; for everything else it does not matter.
    random.fill_uniform(input, inputs.empty() ? -1.0 : 0.005, inputs.empty() ? 1.0 : 0.01);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

bool is_wanted(const KernelCase::Backward& backward, std::size_t input) {
  return std::ranges::find(backward.inputs, input) != backward.inputs.end();
}

/// The operation on a tape, with the gradients of `backward`; `timer` gets its times.
void run_once(const KernelCase& kernel, const std::vector<Tensor>& inputs, const KernelCase::Backward& backward) {
  Tape tape;
  std::vector<Variable> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    operands.push_back(is_wanted(backward, i) ? tape.watch(inputs[i]) : Variable(inputs[i]));
  const Variable y = kernel.apply(operands);
  tape.backward(y, Tensor::full(y.shape(), 1));
}

/// Forward and backward passes of a case; the forward pass is timed with the first of the backward passes.
std::vector<Pass> measure(const KernelCase& kernel, double seconds) {
  const std::vector<Tensor> inputs = random_inputs(kernel);
  const std::string shape = to_string(kernel.inputs.front());
  std::vector<Pass> passes;
  for (const KernelCase::Backward& backward : kernel.backward) {
    OperationTimer timer;
    std::vector<double> forward_ms;
    const auto both = [&] {
      timer.reset();
      run_once(kernel, inputs, backward);
      double forward = 0, back = 0;
      for (const OperationTime& each : timer.operations()) {
        forward += 1000 * each.forward_seconds;
        if (each.path != "leaves") back += 1000 * each.backward_seconds;
      }
      forward_ms.push_back(forward);
      return back;
    };
    const std::vector<double> backward_ms = repeat_for(seconds, both);
    forward_ms.erase(forward_ms.begin(),
                     forward_ms.end() - static_cast<std::ptrdiff_t>(backward_ms.size()));  // the warm-up
    const OperationTime& last = timer.operations().front();
    if (passes.empty())
      passes.push_back(
          {kernel.operation, kernel.detail, shape, "forward", quantiles(std::move(forward_ms)), forward_work(last)});
    passes.push_back(
        {kernel.operation, kernel.detail, shape, backward.name, quantiles(backward_ms), backward_work(last)});
  }
  return passes;
}

/// memcpy, cut for the threads of the pool.
Pass measure_copy(double seconds) {
  constexpr Index count = 10'000'000, chunk = 1 << 16;
  const Tensor from = Tensor::full({count}, 1);
  Tensor to = Tensor::zeros({count});
  const std::vector<double> ms = time_calls(seconds, [&] {
    parallel_for(count, chunk, [&](Index begin, Index end) {
      std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(float));
    });
  });
  return {"copy",
          "",
          to_string(from.shape()),
          "forward",
          quantiles(ms),
          {.flops = 0, .bytes = 2.0 * count * sizeof(float)}};
}

Row row_of(const Pass& pass, const Peaks& peaks) {
  Row row{pass.operation + (pass.detail.empty() ? "" : " " + pass.detail),
          pass.shape,
          pass.name,
          format("%.4f", pass.ms.median),
          format("%.4f", pass.ms.p10),
          format("%.4f", pass.ms.p90)};
  const Row speed = speed_cells(pass.work, pass.ms.median, peaks);
  row.insert(row.end(), speed.begin(), speed.end());
  return row;
}

void KernelBenchmark::run() const {
  measuring.check();
  if (batch < 1) fail<UsageError>("--batch ", batch, ": expected at least 1");
  const std::vector<KernelCase> cases = kernel_cases(batch);
  std::set<std::string> names{"copy"};
  for (const KernelCase& kernel : cases) names.insert(kernel.operation);
  if (!only.empty()) require_known("operation", only, {names.begin(), names.end()});
  measuring.apply();

  const Machine machine = describe_machine();
  const Peaks peaks = measure_peaks(0.5);
  std::vector<Pass> passes;
  for (const KernelCase& kernel : cases)
    if (only.empty() || only == kernel.operation)
      for (Pass& pass : measure(kernel, measuring.seconds)) passes.push_back(std::move(pass));
  if (only.empty() || only == "copy") passes.push_back(measure_copy(measuring.seconds));

  std::vector<Row> rows{{"operation", "input", "pass", "ms", "10 %", "90 %"}};
  const Row headings = speed_headings();
  rows.front().insert(rows.front().end(), headings.begin(), headings.end());
  Json list = Json::array();
  for (const Pass& pass : passes) {
    rows.push_back(row_of(pass, peaks));
    list.push_back({{"operation", pass.operation},
                    {"detail", pass.detail},
                    {"input", pass.shape},
                    {"pass", pass.name},
                    {"ms", pass.ms.median},
                    {"ms_quantiles", Json::parse(to_json(pass.ms))}});
    list.back().update(Json::parse(speed_to_json(pass.work, pass.ms.median, peaks)));
  }
  std::cout << describe(machine) << "\nceilings: " << describe(peaks) << "\n\n"
            << text_table(rows) << '\n'
            << speed_note() << std::flush;
  const Json json = {{"benchmark", "kernels"},
                     {"version", BITGRAD_VERSION},
                     {"batch", batch},
                     {"machine", Json::parse(to_json(machine, peaks))},
                     {"passes", list}};
  write_result(measuring.json, json.dump());
}

}  // namespace

void add_bench_kernels_command(CLI::App& bench) {
  CLI::App* command =
      bench.add_subcommand("kernels", "Single operations: time, GFLOP/s, GB/s, shares of the machine's peak");
  command->footer(help);
  const auto options = std::make_shared<KernelBenchmark>();
  command->add_option("--batch", options->batch, "Images in the inputs")
      ->type_name("N")
      ->capture_default_str()
      ->group("The work");
  command->add_option("--only", options->only, "Only this operation: conv2d, matmul, fake_quantize, ...")
      ->type_name("NAME")
      ->group("The work");
  options->measuring.declare(*command, "Seconds of measuring for each pass, after a warm-up");
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
