// bitgrad infer
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/integer_engine.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help = R"(The input is an array [images, height, width, channels], float32 in [0, 1] or uint8 in 0 to 255; a last axis of one
channel may be left out. The output is float32 [images, classes]: the same numbers from either engine.

Examples:
    bitgrad infer runs/w4a4 --input images.npy --output logits.npy
    bitgrad infer runs/w4a4 --engine integer --input images.npy --output logits.npy)";

constexpr Index images_per_batch = 250;  // bounds the memory; results do not depend on it

struct InferCommand {
  std::string directory, engine = "float", input, output;
  int threads = 0;

  void run() const;
};

/// The images as the graph takes them.
Tensor read_images(const std::string& path, const Shape& sample) {
  Tensor images = io::read_npy(path);
  const Shape found = images.shape();
  if (sample.rank() == 3 && sample[-1] == 1 && found.rank() == 3) images = images.reshape({found[0], found[1], found[2], 1});
  if (images.rank() != sample.rank() + 1 || images.shape().without_front() != sample)
    fail<ShapeError>(path, ": shape ", found, ", the graph takes images of ", sample);
  if (images.dtype() == DType::uint8) return data::to_unit_range(images);
  if (images.dtype() != DType::float32) fail<ShapeError>(path, ": dtype is ", images.dtype(), ", expected float32 or uint8");
  return images;
}

template <class Run>
Tensor in_batches(const Tensor& images, const Shape& output, Run&& run) {
  Tensor result(output.prepended(images.dim(0)));
  for (Index begin = 0; begin < images.dim(0); begin += images_per_batch) {
    const Index end = std::min(begin + images_per_batch, images.dim(0));
    result.rows(begin, end).copy_from(run(images.rows(begin, end)));
  }
  return result;
}

void InferCommand::run() const {
  require_known("engine", engine, {"float", "integer"});
  if (threads > 0) set_num_threads(threads);
  const InferenceGraph graph = InferenceGraph::load(RunDirectory{directory}.graph().string());
  const auto shape = [&](int tensor) { return graph.tensors[static_cast<std::size_t>(tensor)].shape; };
  const Tensor images = read_images(input, shape(graph.input));
  const auto result = [&] {
    if (engine == "float") return in_batches(images, shape(graph.output), [&](const Tensor& x) { return graph.run(x); });
    const IntegerEngine integers(graph);
    return in_batches(images, shape(graph.output), [&](const Tensor& x) { return integers.run(x); });
  };
  io::write_npy(output, result());
  std::cout << images.dim(0) << " images, " << output << std::endl;
}

}  // namespace

void add_infer_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("infer", "Run the graph of a run on an array of images");
  command->footer(help);
  const auto options = std::make_shared<InferCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--input", options->input, "Images")->type_name("X.npy")->required();
  command->add_option("--output", options->output, "Where the logits go")->type_name("Y.npy")->required();
  command->add_option("--engine", options->engine, "float (codes carried in exact float32 products) or integer")
      ->type_name("NAME")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; 0: one per processor")
      ->type_name("T")->check(CLI::Range(0, 256))->capture_default_str();
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
