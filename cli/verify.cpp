// bitgrad verify
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/engine.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/mode.hpp>
#include <bitgrad/cli/progress.hpp>
#include <bitgrad/cli/run_data.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/inference/verify.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Runs the trained model, the graph saved in DIR by both engines, and a naive executor over all test images, or where the
run has --hold-out over those it held out, and compares the integer codes of every quantized tensor.

--mode makes model, engines and naive executor round as another requantization mode does, and compares them there: their
codes are then those of infer --mode and of files of export --mode. Training itself computes ort, so that the table of
its forward pass is left out; --modes counts the codes that a mode changes.

--modes adds what the roundings of other runtimes would change: codes and largest outputs that are not those of the
trained model, with every code computed by that mode from the input on, and the accuracy of each.

Exit code: 0 when all are equal, 1 when codes differ, 2 for wrong arguments, a mode that the graph cannot have among
them, 3 when DIR or the data cannot be read.

Examples:
    bitgrad verify runs/w4a4 --data fashion-mnist
    bitgrad verify runs/w4a4 --limit 500 --threads 2
    bitgrad verify runs/resnet8 --mode xnnpack
    bitgrad verify runs/w4a4 --modes)";

/// What is compared, all of it read and found to fit together.
struct Comparison {
  InferenceGraph graph;
  Model model;
  data::Dataset test;
};

struct VerifyCommand {
  std::string directory, mode;
  std::optional<std::string> data;
  Index limit = 0;
  int threads = 0;
  bool modes = false;

  void run() const;
  Comparison read() const;
};

Comparison read_run(const RunDirectory& run, const std::optional<std::string>& data, Index limit) {
  InferenceGraph graph = load_graph(run);
  if (!graph.has_codes())
    fail<ValueError>(run.graph().string(), ": no activations are quantized, so there are no codes to verify: train ",
                     "with --weights and --activations");
  Model model = restore_model(read_checkpoint(run.quantized_checkpoint()));
  const std::string name = data.value_or(data_of(run));
  data::Dataset test = limited(data ? data::load_dataset(name, data::Split::test) : unseen_images(run, name), limit);
  if (test.images.shape().without_front() != model.input_shape())
    fail<ShapeError>(name, ": images of ", test.images.shape().without_front(), ", the model takes ",
                     model.input_shape());
  const Shape output = graph.tensors[static_cast<std::size_t>(graph.output)].shape;
  if (test.classes > output[-1]) fail<ValueError>(name, ": ", test.classes, " classes, the model has ", output[-1]);
  return {std::move(graph), std::move(model), std::move(test)};
}

/// Prints what each requantization mode changes.
void compare_requantizations(const Comparison& given) {
  std::vector<Row> rows{{"requantization", "codes", "differing", "percent", "largest step", "other class", "accuracy"}};
  std::string refusals;
  const std::vector<ModeComparison> modes = [&] {
    const TerminalLine line(message("comparing the requantization modes on ", given.test.size(), " images"));
    return compare_modes(given.graph, data::to_unit_range(given.test.images));
  }();
  for (const ModeComparison& each : modes) {
    Row& row = rows.emplace_back(Row{std::string(name_of(each.mode))});
    if (!each.refused.empty()) {
      row.push_back("refused");
      refusals += each.refused + '\n';
      continue;
    }
    InferenceGraph graph = given.graph;
    set_requantization(graph, each.mode);
    const double share = static_cast<double>(each.differing) / static_cast<double>(std::max<Index>(each.codes, 1));
    row.insert(row.end(),
               {message(each.codes), message(each.differing), format("%.4f", 100 * share), message(each.largest_step),
                message(each.argmaxes), format("%.2f %%", 100 * accuracy(graph, given.test))});
  }
  std::cout << '\n' << text_table(rows) << refusals << std::flush;
}

/// Whatever cannot be read is no comparison that failed; what is wrong with the arguments stays so.
Comparison VerifyCommand::read() const {
  try {
    if (data) require_dataset(*data);
    return read_run(RunDirectory{directory}, data, limit);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UnreadableInput(error.what());
  }
}

void VerifyCommand::run() const {
  check_mode(mode);
  if (limit < 0) fail<UsageError>("--limit ", limit, ": expected 0 (all images) or more");
  use_threads(threads);
  Comparison given = read();
  try {
    use_mode(given.graph, mode);
  } catch (const NotImplementedError& error) {
    throw UsageError(message("--mode ", mode, ": ", error.what()));
  }
  const VerifyReport report = [&] {
    const TerminalLine line(message("comparing the codes of ", given.test.size(), " images"));
    const bool as_trained = given.graph.mode == RequantizationMode::ort;
    return verify(given.model, given.graph, data::to_unit_range(given.test.images), {.training_forward = as_trained});
  }();
  std::cout << report.describe() << format("accuracy %.2f %% of ", 100 * accuracy(given.graph, given.test))
            << given.test.size() << " images" << (mode.empty() ? "" : ", requantization " + mode) << std::endl;
  if (modes) compare_requantizations(given);
  if (!report.passed()) fail<Error>(report.differing_codes, " of ", report.codes_compared, " codes differ");
}

}  // namespace

void add_verify_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("verify", "Compare a run's integers with its trained model, code by code");
  command->footer(help);
  const auto options = std::make_shared<VerifyCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--data", options->data, message(data_help, " (the run's)"))->type_name("NAME|PATH");
  command->add_option("--limit", options->limit, "Use only the first N test images; 0: all")
      ->type_name("N")
      ->capture_default_str();
  declare_mode(*command, options->mode);
  command->add_flag("--modes", options->modes, "Also compare the requantization modes");
  declare_threads(*command, options->threads);
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
