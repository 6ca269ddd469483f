// bitgrad summary
#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/idle_options.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/cost.hpp>
#include <bitgrad/qat/plan.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Shapes are (height, width, channels). MACs are multiplications of one image by kernels. Bytes are those of the weights:
kernels at their bits, everything else at 32. Batch normalisation disappears in conversion; here it is counted.
autoencoder, which bitgrad train does not take, has no classes and takes 640 values, or what --input says.

Examples:
    bitgrad summary resnet8
    bitgrad summary autoencoder
    bitgrad summary mobilenet_v1 --input 64,64,1 --classes 5 --width 2
    bitgrad summary runs/w4a4
    bitgrad summary runs/w4a4/float.safetensors)";

constexpr int float_bits = 32;

/// What of a model is counted.
struct Counts {
  Index parameters = 0, macs = 0;
  Index bits = 0;  // of all weights together

  Counts& operator+=(const Counts& other) {
    parameters += other.parameters;
    macs += other.macs;
    bits += other.bits;
    return *this;
  }
  Index bytes() const { return (bits + 7) / 8; }
};

Counts count(const Layer& layer, int kernel_bits, Index macs) {
  Counts result;
  for (const auto& [name, parameter] : layer.parameters()) {
    const Index size = parameter->value().size();
    result.parameters += size;
    result.bits += size * (name == "kernel" ? kernel_bits : float_bits);
  }
  result.macs = macs;
  return result;
}

/// Multiply-adds by layer, of what the model becomes.
std::map<std::string, Index> macs_of(const Model& model) {
  std::map<std::string, Index> macs;
  for (const LayerCost& cost : layer_costs(convert2inferable(model))) macs[cost.layer] = cost.macs;
  return macs;
}

constexpr const char* autoencoder = "autoencoder";  // no model of models::make()

struct SummaryCommand {
  std::string model;
  std::optional<std::string> input;
  Index classes = 10, width = 1;

  void run(const CLI::App& command) const {
    const bool is_run = RunDirectory{model}.holds_run(), by_name = !is_run && !model.ends_with(".safetensors");
    const char* const needs = "a model by name: a checkpoint knows its own";
    refuse_idle_options(typed_options(command), {{"--input", by_name, needs},
                                                 {"--classes", by_name, needs},
                                                 {"--classes", model != autoencoder, "a model with classes"},
                                                 {"--width", by_name, needs}});
    if (by_name) return print_reference();
    const Checkpoint checkpoint = read_checkpoint(is_run ? checkpoint_of(RunDirectory{model}) : io::Path(model));
    std::map<std::string, int> bits;
    if (!checkpoint.plan.empty())
      for (const WeightPlan& entry : QuantizationPlan::from_json(checkpoint.plan).weights)
        if (entry.weight == "kernel") bits[entry.layer] = entry.config.n_bits;
    print(models::make(checkpoint.model, checkpoint.input_shape, checkpoint.classes), checkpoint.input_shape, bits);
  }

 private:
  /// Of the last stage that the run has come to.
  static io::Path checkpoint_of(const RunDirectory& run) {
    return std::filesystem::exists(run.quantized_checkpoint()) ? run.quantized_checkpoint() : run.float_result();
  }

  void require_known_model() const {
    if (model.starts_with(std::string(autoencoder) + ":"))
      fail<UsageError>("model ", model, ": expected ", autoencoder, ", and its width by --width");
    std::vector<std::string> names = models::names();
    names.insert(names.begin(), autoencoder);
    const std::string name = model.substr(0, model.find(':'));
    if (std::ranges::find(names, name) == names.end() && std::filesystem::is_directory(model))
      RunDirectory{model}.require(RunDirectory{model}.float_checkpoint());
    require_known("model", name, names);
    require_model(model);
  }

  void print_reference() const {
    const bool rebuilds = model == autoencoder;
    if (!rebuilds) require_known_model();
    const Shape usual = rebuilds ? Shape{640} : models::usual_input_shape(model);
    const Shape shape = input ? parse_shape() : usual;
    if (rebuilds) return print(models::autoencoder(shape, width), shape, {});
    print(models::make(model, shape, classes, width), shape, {});
  }

  Shape parse_shape() const {
    std::vector<Index> extents;
    std::istringstream parts(*input + ',');
    for (std::string part; std::getline(parts, part, ',');)
      if (Index& extent = extents.emplace_back(); read_number(part, extent) != std::errc() || extent < 1)
        fail<UsageError>("--input ", *input, ": \"", part, "\" is no extent; expected H,W,C as in 32,32,3");
    if (extents.size() == 2 || extents.size() > 3)
      fail<UsageError>("--input ", *input, ": expected three extents, H,W,C, or the one of a vector");
    return Shape(std::span<const Index>(extents));
  }

  static void print(Model built, const Shape& shape, const std::map<std::string, int>& bits) {
    built.build(shape);
    const std::vector<Shape> shapes = built.node_shapes(shape);
    const std::map<std::string, Index> macs = macs_of(built);
    std::vector<Row> rows{{"layer", "type", "output", "parameters", "MACs", "bytes", "bits"},
                          {"input", "", to_string(shape)}};
    Counts total;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto& [name, layer, sources] = built.nodes()[i];
      const auto found = bits.find(name);
      const int kernel_bits = found == bits.end() ? float_bits : found->second;
      const Counts counts = count(*layer, kernel_bits, layer->has_weight("kernel") ? macs.at(name) : 0);
      total += counts;
      rows.push_back({name, std::string(layer->type()), to_string(shapes[i])});
      if (counts.parameters == 0) continue;
      for (const Index number : {counts.parameters, counts.macs, counts.bytes()})
        rows.back().push_back(std::to_string(number));
      rows.back().push_back(layer->has_weight("kernel") ? std::to_string(kernel_bits) : "");
    }
    rows.push_back({});
    rows.push_back({"total", "", to_string(built.output_shape()), std::to_string(total.parameters),
                    std::to_string(total.macs), std::to_string(total.bytes())});
    std::cout
        << text_table(rows)
        << "bytes: kernels at their bits, all else at 32; conversion makes batch normalization part of kernels and "
           "biases, and adds scales\n"
        << std::flush;
  }
};

}  // namespace

void add_summary_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("summary", "List a model's layers, their shapes and what they cost");
  command->footer(help);
  const auto options = std::make_shared<SummaryCommand>();
  command
      ->add_option("MODEL", options->model,
                   "Directory of a run, checkpoint (.safetensors), or a name. " + model_help() + "; also autoencoder")
      ->required();
  command->add_option("--input", options->input, "Shape of an image (the one the model was made for)")
      ->type_name("H,W,C");
  command->add_option("--classes", options->classes, "Classes of a model by name")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--width", options->width, "Times the filters and units of a model by name")
      ->type_name("N")
      ->capture_default_str();
  command->callback([options, command] { options->run(*command); });
}

}  // namespace bitgrad::cli
