// bitgrad infer
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/engine.hpp>
#include <bitgrad/cli/images.hpp>
#include <bitgrad/cli/mode.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(The input is an array [images, height, width, channels], float32 in [0, 1] or uint8 in 0 to 255; a last axis of one
channel may be left out; values far outside of what the graph takes are refused. The output is float32 [images,
classes]: the same numbers from either engine. --codes writes the integer codes of every quantized tensor, under its
name and with images first, as the graph has them. --mode computes with the roundings that files of bitgrad export
--mode have.

Examples:
    bitgrad infer runs/w4a4 --input images.npy --output logits.npy
    bitgrad infer runs/w4a4 --engine integer --input images.npy --output logits.npy
    bitgrad infer runs/w4a4 --input images.npy --codes codes.npz)";

constexpr Index images_per_batch = 250;  // bounds the memory; results do not depend on it

struct InferCommand {
  std::string directory, engine = "float", input, output, codes, mode;
  int threads = 0;

  void run() const;
  NamedTensors all_codes(const InferenceSession& session, const Tensor& images) const;
};

template <class Run>
Tensor in_batches(const Tensor& images, const Shape& output, Run&& run) {
  Tensor result(output.prepended(images.dim(0)));
  for (Index begin = 0; begin < images.dim(0); begin += images_per_batch) {
    const Index end = std::min(begin + images_per_batch, images.dim(0));
    result.rows(begin, end).copy_from(run(images.rows(begin, end)));
  }
  return result;
}

/// The smallest dtype that holds the codes of a grid.
DType code_dtype(const Grid& grid) {
  if (grid.lo >= -128 && grid.hi <= 127) return DType::int8;
  return grid.lo >= 0 && grid.hi <= 255 ? DType::uint8 : DType::int32;
}

NamedTensors InferCommand::all_codes(const InferenceSession& session, const Tensor& images) const {
  const InferenceGraph& graph = session.graph();
  std::vector<std::size_t> numbers;
  NamedTensors result;
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    const GraphTensor& tensor = graph.tensors[t];
    if (!tensor.grid) continue;
    numbers.push_back(t);
    result.add(tensor.name, Tensor(tensor.shape.prepended(images.dim(0)), code_dtype(*tensor.grid)));
  }
  if (numbers.empty()) fail<ValueError>("--codes: the graph in ", directory, " has no quantized tensor");
  for (Index begin = 0; begin < images.dim(0); begin += images_per_batch) {
    const Index end = std::min(begin + images_per_batch, images.dim(0));
    const std::vector<Tensor> values = session.run_all(images.rows(begin, end));
    auto entry = result.begin();
    for (const std::size_t t : numbers)
      (entry++)->second.rows(begin, end).copy_from(values[t].to(code_dtype(*graph.tensors[t].grid)));
  }
  return result;
}

void InferCommand::run() const {
  if (output.empty() && codes.empty()) throw UsageError("infer: nothing to write; give --output FILE or --codes FILE");
  check_engine(engine);
  check_mode(mode);
  for (const std::string& file : {output, codes})
    if (!file.empty()) io::require_writable(file);
  use_threads(threads);
  InferenceGraph graph = load_graph({directory});
  use_mode(graph, mode);
  const auto shape = [&](int tensor) { return graph.tensors[static_cast<std::size_t>(tensor)].shape; };
  const Tensor images = read_images(input, graph);
  const InferenceSession session = make_session(graph, engine);
  const auto result = [&] {
    return in_batches(images, shape(graph.output), [&](const Tensor& x) { return session.run(x); });
  };
  std::vector<io::FileContent> files;
  if (!output.empty()) files.push_back({output, io::format_npy(result())});
  if (!codes.empty()) files.push_back({codes, io::format_npz(all_codes(session, images))});
  io::write_files_atomically(files);
  std::cout << images.dim(0) << " images, " << output << (output.empty() || codes.empty() ? "" : ", ") << codes
            << std::endl;
}

}  // namespace

void add_infer_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("infer", "Run the graph of a run on an array of images");
  command->footer(help);
  const auto options = std::make_shared<InferCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--input", options->input, "Images")->type_name("X.npy")->required();
  command->add_option("--output", options->output, "Where the logits go")->type_name("Y.npy");
  command->add_option("--codes", options->codes, "Where the codes of all quantized tensors go")->type_name("Y.npz");
  command->add_option("--engine", options->engine, "float (codes carried in exact float32 products) or integer")
      ->type_name("NAME")
      ->capture_default_str();
  declare_mode(*command, options->mode);
  declare_threads(*command, options->threads);
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
