// bitgrad export
#include <CLI/App.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/qat/export/onnx.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(--onnx: quantized layers between QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses to integer kernels with the
codes of bitgrad. Input float32 [N, channels, height, width], output float32. Weights are stored in bytes at opset 13;
--pack 4 or 2 stores those with few levels in 4 or 2 bits, which needs opset 21 or 25 and takes it when none is given.

Examples:
    bitgrad export runs/w4a4 --onnx w4a4.onnx
    bitgrad export runs/w4a4 --onnx w4a4.onnx --pack 4
    bitgrad export runs/w4a4 --onnx check.onnx --codes)";

struct ExportCommand {
  std::string directory, onnx;
  std::optional<int> opset;
  int pack = 8;
  bool codes = false;

  void run() const;
  OnnxOptions onnx_options() const;
};

OnnxOptions ExportCommand::onnx_options() const {
  const int needed = lowest_opset(pack);
  if (opset && *opset < needed)
    throw UsageError(message("--pack ", pack, " needs --opset ", needed, ", got --opset ", *opset));
  return {opset.value_or(needed), pack, codes};
}

/// The graph of a run, with what its report tells about it.
InferenceGraph read_graph(const RunDirectory& run) {
  InferenceGraph graph = InferenceGraph::load(run.graph().string());
  if (!std::filesystem::exists(run.report())) return graph;
  const Report report = read_report(run.report());
  graph.metadata["accuracy"] = message(report.converted_accuracy, " %");
  graph.metadata["data"] = std::filesystem::path(report.data).filename().string();  // a path is nobody's business
  graph.metadata["seed"] = std::to_string(report.seed);
  return graph;
}

std::string float_layers(const InferenceGraph& graph) {
  std::string names;
  for (const GraphNode& node : graph.nodes)
    if (name_of(node.operation).starts_with("float_")) names += message(names.empty() ? "" : ", ", node.name);
  return names;
}

void ExportCommand::run() const {
  if (onnx.empty()) throw UsageError("export: nothing to write; give --onnx FILE");
  const OnnxOptions options = onnx_options();
  const InferenceGraph graph = read_graph(RunDirectory{directory});
  write_onnx(onnx, graph, options);
  std::cout << onnx << ": " << std::filesystem::file_size(onnx) << " bytes, ONNX opset " << options.opset << std::endl;
  if (const std::string names = float_layers(graph); !names.empty())
    std::cout << "left in float32, rounded as each runtime likes: " << names << std::endl;
}

}  // namespace

void add_export_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("export", "Write the graph of a run for other runtimes");
  command->footer(help);
  const auto options = std::make_shared<ExportCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--onnx", options->onnx, "An ONNX model")->type_name("FILE");
  command->add_option("--opset", options->opset, "Its operator set; default: 13, or what --pack needs")
      ->type_name("13|21|25")
      ->check(CLI::IsMember({13, 21, 25}));
  command->add_option("--pack", options->pack, "Smallest unit of stored weights, in bits")
      ->type_name("8|4|2")
      ->check(CLI::IsMember({8, 4, 2}))
      ->capture_default_str();
  command->add_flag("--codes", options->codes,
                    "The codes of every quantized tensor as further outputs, to compare them");
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
