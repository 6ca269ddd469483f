// bitgrad verify
#include <CLI/App.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/verify.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Runs the trained model, the graph saved in DIR by both engines, and a naive executor over the test images, and
compares the integer codes of every quantized tensor. The exit code is 0 when all are equal.

Examples:
    bitgrad verify runs/w4a4 --data fashion-mnist
    bitgrad verify runs/w4a4 --limit 500 --threads 2)";

struct VerifyCommand {
  std::string directory, data = "fashion-mnist";
  Index limit = 0;
  int threads = 0;

  void run() const;
};

/// The trained model of a run: the quantized one, or the float one where nothing was quantized.
Model trained_model(const RunDirectory& run) {
  const bool quantized = std::filesystem::exists(run.quantized_checkpoint());
  return restore_model(read_checkpoint(quantized ? run.quantized_checkpoint() : run.float_checkpoint()));
}

void VerifyCommand::run() const {
  require_dataset(data);
  if (threads > 0) set_num_threads(threads);
  const RunDirectory run{directory};
  const InferenceGraph graph = InferenceGraph::load(run.graph().string());
  Model model = trained_model(run);
  const data::Dataset test = load_limited(data, data::Split::test, limit);
  if (test.images.shape().without_front() != model.input_shape())
    fail<ShapeError>(data, ": images of ", test.images.shape().without_front(), ", the model takes ",
                     model.input_shape());
  const VerifyReport report = verify(model, graph, data::to_unit_range(test.images));
  std::cout << report.describe() << "accuracy " << 100 * accuracy(graph, test) << " % of " << test.size() << " images"
            << std::endl;
  if (!report.passed()) fail<Error>(report.differing_codes, " of ", report.codes_compared, " codes differ");
}

}  // namespace

void add_verify_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("verify", "Compare a run's integers with its trained model, code by code");
  command->footer(help);
  const auto options = std::make_shared<VerifyCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--data", options->data, data_help)->type_name("NAME|PATH")->capture_default_str();
  command->add_option("--limit", options->limit, "Use only the first N test images; 0: all")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; 0: one per processor")
      ->type_name("T")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
