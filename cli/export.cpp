// bitgrad export
#include <CLI/App.hpp>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/engine.hpp>
#include <bitgrad/cli/idle_options.hpp>
#include <bitgrad/cli/images.hpp>
#include <bitgrad/cli/mode.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/qat/export/arrays.hpp>
#include <bitgrad/qat/export/c_header.hpp>
#include <bitgrad/qat/export/onnx.hpp>
#include <bitgrad/qat/export/tflite.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Give one or several of --onnx, --tflite, --c, --npz and --safetensors. Nothing is written unless all of them can be.

--onnx: quantized layers between QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses to integer kernels with
the codes of bitgrad. Input float32 [N, channels, height, width], output float32. Weights are stored in bytes at opset
13; --pack 4 or 2 stores those with few levels in 4 or 2 bits, which needs opset 21 or 25 and takes it when none is
given. --onnx-weights int8 stores all weights as int8, which ONNX Runtime multiplies twice as fast on processors with
VNNI, and on x86 without it to wrong codes; uint8, the default, is right on every processor.

--tflite: operators on int8 codes for LiteRT, input float32 [1, height, width, channels]. Its default kernels (XNNPACK)
round convolutions and dense layers as bitgrad does; sums and averages they round in a way of their own, which --mode
xnnpack has. Weights are stored in bytes; --pack 4 stores those of at most 4 bits as INT4 where the kernels of the mode
take them: all of them in --mode tflite_reference, tflm_double and single, those of most dense layers in the others.

--mode: whose roundings the files are to have. ort, the default, is what training computes and the only one of ONNX
files; xnnpack: LiteRT's default kernels; tflite_reference: its reference kernels; tflm_double: TFLite Micro; single:
the same built for single rounding. bitgrad verify --modes tells how many codes that changes.

--c: one C99 header that needs <stdint.h> and nothing else: packed weights, memory of a size known at compile time, no
floating point, the codes of bitgrad. The file's name is the prefix of what it defines: net.h has net_run(),
net_argmax() and net_selftest(). What is neither letter nor digit becomes _, and net goes in front where the name does
not start with a letter.

--npz, --safetensors: weights as floats, as codes and packed, with scales, zero points and biases, by name
(docs/formats.md).

Examples:
    bitgrad export runs/w4a4 --onnx w4a4.onnx
    bitgrad export runs/w4a4 --onnx w4a4.onnx --pack 4
    bitgrad export runs/resnet8 --onnx vnni.onnx --onnx-weights int8
    bitgrad export runs/w4a4 --onnx check.onnx --codes
    bitgrad export runs/w4a4 --tflite w4a4.tflite
    bitgrad export runs/resnet8 --mode xnnpack --tflite resnet8.tflite
    bitgrad export runs/w4a4 --c net.h
    bitgrad export runs/w4a4 --c net.h --golden images.npy
    bitgrad export runs/w4a4 --npz w4a4.npz --safetensors w4a4.safetensors)";

/// A file that is to be written, and what is said about it.
struct Output {
  io::FileContent file;
  std::string remark;
};

struct ExportCommand {
  std::string directory, onnx, tflite, c, golden, npz, safetensors, mode;
  std::optional<int> opset;
  std::string onnx_weights = "uint8";
  int pack = 8;
  bool codes = false;

  void check(const CLI::App& command) const;
  void run(const CLI::App& command) const;
  OnnxOptions onnx_options() const;
  std::vector<Output> outputs(const InferenceGraph& graph) const;
};

OnnxOptions ExportCommand::onnx_options() const {
  const int needed = lowest_opset(pack);
  if (opset && *opset < needed)
    throw UsageError(message("--pack ", pack, " needs --opset ", needed, ", got --opset ", *opset));
  return {opset.value_or(needed), pack, codes, onnx_weights == "int8" ? OnnxWeights::int8 : OnnxWeights::uint8};
}

void ExportCommand::check(const CLI::App& command) const {
  if (onnx.empty() && tflite.empty() && c.empty() && npz.empty() && safetensors.empty())
    throw UsageError("export: nothing to write; give --onnx, --tflite, --c, --npz or --safetensors with a file");
  if (pack == 2 && !tflite.empty())
    throw UsageError("--pack 2: the smallest weights of a TFLite file have 4 bits, expected 4 or 8");
  if (!c.empty() && io::Path(c).extension() != ".h")
    fail<UsageError>("--c ", c, ": expected a name that ends in .h, which is what it is included by");
  check_mode(mode);
  refuse_idle_options(typed_options(command), {{"--opset", !onnx.empty(), "--onnx"},
                                               {"--onnx-weights", !onnx.empty(), "--onnx"},
                                               {"--pack", !onnx.empty() || !tflite.empty(), "--onnx or --tflite"},
                                               {"--codes", !onnx.empty() || !tflite.empty(), "--onnx or --tflite"},
                                               {"--golden", !c.empty(), "--c"}});
}

/// The graph of a run, with what its report tells about it.
InferenceGraph read_graph(const RunDirectory& run) {
  InferenceGraph graph = load_graph(run);
  if (!std::filesystem::exists(run.report())) return graph;
  const Report report = read_report(run);
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

/// A file's name as the beginning of C names: "w4a4" of "out/w4a4.h".
std::string identifier(const std::string& path) {
  std::string name = io::Path(path).stem().string();
  for (char& each : name)
    if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
  const bool starts = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) != 0;
  return starts ? name : "net" + name;
}

std::vector<Output> ExportCommand::outputs(const InferenceGraph& graph) const {
  std::vector<Output> result;
  if (!onnx.empty()) {
    const OnnxOptions options = onnx_options();
    result.push_back({{onnx, format_onnx(graph, options)}, message("ONNX opset ", options.opset)});
  }
  if (!tflite.empty())
    result.push_back(
        {{tflite, format_tflite(graph, {codes, pack})}, message("TFLite, int8, requantization ", name_of(graph.mode))});
  if (!c.empty()) {
    const std::string name = identifier(c);
    const std::string text = format_c_header(graph, {name, golden.empty() ? Tensor() : read_images(golden, graph)});
    const auto bytes = std::as_bytes(std::span(text));
    result.push_back({{c, {bytes.begin(), bytes.end()}},
                      message("C99, ", name, "_run(), ", graph.weight_bytes(), " bytes of weights")});
  }
  if (npz.empty() && safetensors.empty()) return result;
  const GraphArrays arrays = export_arrays(graph);
  const std::string remark = message(arrays.tensors.size(), " arrays");
  if (!npz.empty()) result.push_back({{npz, format_npz(arrays)}, remark});
  if (!safetensors.empty()) result.push_back({{safetensors, format_safetensors(arrays)}, remark});
  return result;
}

void ExportCommand::run(const CLI::App& command) const {
  check(command);
  InferenceGraph graph = read_graph(RunDirectory{directory});
  use_mode(graph, mode);
  const std::vector<Output> results = outputs(graph);
  std::vector<io::FileContent> files;
  for (const Output& output : results) files.push_back(output.file);
  io::write_files_atomically(files);
  for (const auto& [file, remark] : results)
    std::cout << file.path.string() << ": " << file.bytes.size() << " bytes, " << remark << '\n';
  if (const std::string names = float_layers(graph); !names.empty())
    std::cout << "float32, computed by each runtime in its own way, or by the caller of a C header: " << names
              << std::endl;
}

}  // namespace

void add_export_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("export", "Write the graph of a run for other runtimes");
  command->footer(help);
  const auto options = std::make_shared<ExportCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--onnx", options->onnx, "An ONNX model")->type_name("FILE")->group("Files");
  command->add_option("--tflite", options->tflite, "A TFLite model")->type_name("FILE")->group("Files");
  command->add_option("--c", options->c, "A C header")->type_name("FILE.h")->group("Files");
  command->add_option("--npz", options->npz, "Arrays for NumPy")->type_name("FILE")->group("Files");
  command->add_option("--safetensors", options->safetensors, "The same arrays for safetensors")
      ->type_name("FILE")
      ->group("Files");
  declare_mode(*command, options->mode);
  command->add_option("--opset", options->opset, "Operator set; default: 13, or what --pack needs")
      ->type_name("13|21|25")
      ->check(CLI::IsMember({13, 21, 25}).description(""))
      ->group("With --onnx");
  command
      ->add_option("--onnx-weights", options->onnx_weights,
                   "uint8: right on every processor; int8: twice as fast in ONNX Runtime on processors with VNNI, "
                   "wrong codes on "
                   "x86 without it")
      ->type_name("uint8|int8")
      ->check(CLI::IsMember({"uint8", "int8"}).description(""))
      ->capture_default_str()
      ->group("With --onnx");
  command->add_option("--pack", options->pack, "Smallest unit of stored weights, in bits")
      ->type_name("8|4|2")
      ->check(CLI::IsMember({8, 4, 2}).description(""))
      ->capture_default_str()
      ->group("With --onnx and --tflite");
  command
      ->add_flag("--codes", options->codes, "The codes of every quantized tensor as further outputs, to compare them")
      ->group("With --onnx and --tflite");
  command
      ->add_option("--golden", options->golden,
                   "Images whose results the header tests itself with; default: two random ones")
      ->type_name("X.npy")
      ->group("With --c");
  command->callback([options, command] { options->run(*command); });
}

}  // namespace bitgrad::cli
