// Usage: interop_graphs MODEL|lut|random DIR [IMAGES [CASE,CASE...]]
//        interop_graphs images DATA FILE.npy [COUNT]
// Makes the graphs that other runtimes then run, in DIR: NAME/graph, x.npy with the inputs (1,000 test images unless
// said otherwise), and cases.txt with the names. Models are trained for a moment on Fashion-MNIST, in float and then
// with each of the quantizations, or those that begin with one of the given cases; the weights of `lut` are tables; the
// random ones have every integer operation, and inputs of their own, NAME/x.npy. The second form writes the first test
// images of a data set.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <tuple>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "qat/inference_support.hpp"
#include "qat/lut_support.hpp"

using namespace bitgrad;
namespace fs = std::filesystem;

namespace {

constexpr unsigned random_graphs = 40;
constexpr Index scored = 200;  // images that tell whether a model has learned

struct Quantization {
  std::string name;
  QuantizationConfig config;
};

/// bitgrad's own quantizer of each method.
std::string own_quantizer(const std::string& method) {
  return method == "pot" ? "lsq-pot" : method == "uniform" ? "lsq-plus" : "lsq";
}

QuantizationConfig config_of(int weight_bits, int activation_bits, const std::string& method) {
  const std::string name = own_quantizer(method);
  return {.weights = parse_quantizer_spec(message(name, ":", weight_bits, ":", method)),
          .activations = parse_quantizer_spec(message(name, ":", activation_bits, ":", method))};
}

/// Every layer another width and method, one of them per tensor.
QuantizationConfig mixed_config(const Model& model) {
  QuantizationConfig config = config_of(8, 8, "symmetric");
  config.first_last_bits = 0;
  const char* const weights[] = {"lsq-plus:3:uniform",         "lsq:5",          "lsq-pot:2", "lsq-plus:7:uniform",
                                 "lsq:8:symmetric:per-tensor", "lsq:1:symmetric"};
  std::size_t next = 0;
  for (const WeightPlan& plan :
       plan_quantization(model, Tensor::zeros(model.input_shape().prepended(2)), config).weights)
    config.overrides.push_back(
        {.pattern = plan.layer, .weights = parse_quantizer_spec(weights[next++ % std::size(weights)])});
  config.activations = parse_quantizer_spec("lsq-plus:6:uniform");
  return config;
}

std::vector<Quantization> quantizations(const Model& model) {
  std::vector<Quantization> result;
  for (const auto& [weights, activations] : {std::pair{8, 8}, {4, 4}, {2, 4}, {2, 2}, {3, 5}})
    for (const char* method : {"pot", "symmetric", "uniform"})
      result.push_back({message("w", weights, "a", activations, "-", method), config_of(weights, activations, method)});
  result.push_back({"w8a6-zero-points", config_of(8, 6, "symmetric")});
  result.back().config.activations = parse_quantizer_spec("lsq-plus:6:uniform");
  result.push_back({"mixed", mixed_config(model)});
  for (const auto& [name, bits, method] : {std::tuple{"w4a4-everywhere", 4, "symmetric"},
                                           {"w4a4-zero-points", 4, "uniform"},
                                           {"w2a2-everywhere", 2, "symmetric"}}) {
    result.push_back({name, config_of(bits, bits, method)});
    result.back().config.first_last_bits = 0;
  }
  return result;
}

data::Dataset first(data::Dataset dataset, Index count) {
  dataset.images = dataset.images.rows(0, count);
  dataset.labels = dataset.labels.rows(0, count);
  return dataset;
}

/// Separable convolutions as in MobileNet (Howard et al. 2017), with groups, dilation and a depth multiplier besides.
Model depthwise_model() {
  return Sequential(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(),
                    DepthwiseConv2D({.kernel = 3, .bias = false}), BatchNorm(), ReLU6(),
                    Conv2D({.filters = 16, .kernel = 1}), BatchNorm(), ReLU(),
                    DepthwiseConv2D({.kernel = 3, .depth_multiplier = 2, .stride = 2}), ReLU(),
                    Conv2D({.filters = 16, .kernel = 3, .dilation = 2, .groups = 4}), BatchNorm(), ReLU(),
                    GlobalAveragePool2D(), Dense({.units = 10}));
}

/// The same as TFLite's operators can express it: no groups between one and all channels.
Model separable_model() {
  return Sequential(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(),
                    DepthwiseConv2D({.kernel = 3, .bias = false}), BatchNorm(), ReLU6(),
                    Conv2D({.filters = 16, .kernel = 1}), BatchNorm(), ReLU(),
                    DepthwiseConv2D({.kernel = 3, .depth_multiplier = 2, .stride = 2}), ReLU(),
                    Conv2D({.filters = 16, .kernel = 3, .dilation = 2}), BatchNorm(), ReLU(), GlobalAveragePool2D(),
                    Dense({.units = 10}));
}

/// Concatenations, average pooling and tables beside convolutions.
Model branches_model() {
  Model model;
  auto x = model.add(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), model.input());
  x = model.add(ReLU(), model.add(BatchNorm(), x));
  const auto left = model.add(ReLU(), model.add(Conv2D({.filters = 6, .kernel = 1}), x));
  const auto right = model.add(Sigmoid(), model.add(Conv2D({.filters = 5, .kernel = 3}), x));
  x = model.add(Concat(), {left, right, x});
  x = model.add(AveragePool2D({.window = 2}), x);
  x = model.add(HardSwish(), model.add(Conv2D({.filters = 16, .kernel = 3}), x));
  x = model.add(AveragePool2D({.window = 3, .stride = 2}), x);
  model.add(Dense({.units = 10}), model.add(Flatten(), x));
  return model;
}

/// Images that become smaller and larger again: by repeated pixels and by transposed convolutions, with a sequence at
/// the end.
Model decoder_model() {
  return Sequential(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(), MaxPool2D(),
                    Conv2DTranspose({.filters = 8, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(), UpSampling2D(),
                    Conv2D({.filters = 6, .kernel = 3}), ReLU(),
                    Conv2DTranspose({.filters = 4, .kernel = {1, 2}, .stride = {2, 3}, .padding = Padding::valid()}),
                    BatchNorm(), ReLU(), MaxPool2D({.window = 4}), Reshape({.shape = {294, 4}}),
                    Conv1D({.filters = 6, .kernel = 5, .stride = 3}), BatchNorm(), ReLU(), Flatten(),
                    Dense({.units = 10}));
}

/// Layers that stay in float32 between quantized ones.
Model float_layers_model() {
  return Sequential(Conv2D({.filters = 8, .kernel = 3, .stride = 4}), LayerNorm(), ReLU(),
                    UpSampling2D({.interpolation = Interpolation::bilinear}), Conv2D({.filters = 8, .kernel = 3}),
                    BatchNorm(), ReLU(), Flatten(), Dense({.units = 16}), LayerNorm(), Dense({.units = 10}));
}

/// Kernels of table entries, with a table for each output channel or one for all.
Model lut_model(const Shape& input, bool per_channel) {
  const auto table = [per_channel](Index filters, int rank) {
    std::vector<double> thresholds{0.21};
    while (per_channel && std::ssize(thresholds) < filters) thresholds.push_back(thresholds.back() * 1.07);
    return test::kernel_by(test::lut(thresholds, rank));
  };
  Model model = Sequential(
      test::unsigned_holder(1),
      QuantizationWrapper(Conv2D({.filters = 8, .kernel = 3, .stride = 2}), table(8, 4), {.batch_norm = BatchNorm()}),
      ReLU(), test::unsigned_holder(2), QuantizationWrapper(Conv2D({.filters = 12, .kernel = 3}), table(12, 4)), ReLU(),
      test::unsigned_holder(2), Flatten(), QuantizationWrapper(Dense({.units = 10}), table(10, 2)));
  model.build(input, 1);
  test::Dice dice(8);
  for (const NamedParameter& p : model.parameters())
    for (float& value : p.parameter->value().span<float>())
      if (p.name.ends_with("bias") || p.name.ends_with("beta")) value = dice.real(-0.5F, 0.5F);
  return model;
}

Model make_model(const std::string& name, const Shape& input, Index classes) {
  if (name == "depthwise") return depthwise_model();
  if (name == "separable") return separable_model();
  if (name == "branches") return branches_model();
  if (name == "decoder") return decoder_model();
  if (name == "float") return float_layers_model();
  return models::make(name, input, classes);
}

/// Normalized by the statistics of these images.
Model normalized_model(const data::Dataset& train) {
  const Shape input = train.images.shape().without_front();
  Model model = models::make("lenet5:normalized", input, train.classes);
  model.build(input, 1);
  model.load_state_dict(models::normalization_state(model, data::channel_statistics(train.images)), LoadMode::partial);
  return model;
}

/// What the command line asks for.
struct Wanted {
  Index images = 1000;
  std::vector<std::string> cases;  ///< beginnings of names; empty: all

  bool operator()(const std::string& name) const {
    return cases.empty() ||
           std::ranges::any_of(cases, [&](const std::string& start) { return name.starts_with(start); });
  }
};

Wanted read_wanted(int argc, char** argv) {
  Wanted wanted;
  if (argc > 3) wanted.images = std::stol(argv[3]);
  std::istringstream names(argc > 4 ? argv[4] : "");
  for (std::string name; std::getline(names, name, ',');) wanted.cases.push_back(name);
  return wanted;
}

void make_trained(const std::string& name, const Wanted& wanted, const fs::path& directory, std::ostream& cases) {
  const data::Dataset train = data::load_dataset("fashion-mnist", data::Split::train);
  const data::Dataset test = first(data::load_dataset("fashion-mnist", data::Split::test), wanted.images);
  const Shape input = test.images.shape().without_front();
  Model model = name == "normalized" ? normalized_model(train) : make_model(name, input, test.classes);
  if (!model.built()) model.build(input, 1);
  fit(model, first(train, 2000), {.epochs = 1, .batch = 32});
  const Tensor representative = data::to_unit_range(train.images.rows(0, 128));
  for (const auto& [quantization, config] : quantizations(model)) {
    if (!wanted(quantization)) continue;
    Model quantized = quantization_aware_training_init(model, representative, config);
    fit(quantized, first(train, 256), quantized_training({.epochs = 1, .batch = 32}));
    const InferenceGraph graph = convert2inferable(quantized);
    const fs::path folder = directory / quantization;
    fs::create_directories(folder);
    graph.save((folder / "graph").string());
    cases << quantization << '\n';
    std::cout << name << ' ' << quantization << ": accuracy "
              << accuracy(graph, first(test, std::min(wanted.images, scored))) << std::endl;
  }
  io::write_npy(directory / "x.npy", test.images);
}

/// On the weights that a model starts with.
void make_lut(const Wanted& wanted, const fs::path& directory, std::ostream& cases) {
  const data::Dataset test = first(data::load_dataset("fashion-mnist", data::Split::test), wanted.images);
  for (const bool per_channel : {true, false}) {
    const std::string name = per_channel ? "w3a8-per-channel" : "w3a8-per-tensor";
    Model model = lut_model(test.images.shape().without_front(), per_channel);
    fs::create_directories(directory / name);
    convert2inferable(model).save((directory / name / "graph").string());
    cases << name << '\n';
  }
  io::write_npy(directory / "x.npy", test.images);
}

void make_random(const fs::path& directory, std::ostream& cases) {
  for (unsigned seed = 1; seed <= random_graphs; ++seed) {
    const InferenceGraph graph = test::RandomNetwork(seed, 8).build();
    const fs::path folder = directory / message("seed", seed);
    fs::create_directories(folder);
    graph.save((folder / "graph").string());
    const Shape input = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
    io::write_npy(folder / "x.npy", test::Dice(seed).tensor(input.prepended(64), -0.2F, 1.2F));
    cases << folder.filename().string() << '\n';
  }
}

void write_images(const std::string& name, const fs::path& file, Index count) {
  const data::Dataset test = data::load_dataset(name, data::Split::test);
  io::write_npy(file, test.images.rows(0, std::min(count, test.images.dim(0))));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3 || argc > 5)
    fail<ValueError>("usage: interop_graphs MODEL|lut|random DIR [IMAGES [CASE,CASE...]] or images DATA FILE [COUNT]");
  if (argv[1] == std::string("images")) {
    if (argc < 4) fail<ValueError>("interop_graphs images DATA FILE.npy [COUNT]");
    write_images(argv[2], argv[3], argc > 4 ? std::stol(argv[4]) : std::numeric_limits<Index>::max());
    return 0;
  }
  const fs::path directory = argv[2];
  fs::create_directories(directory);
  std::ofstream cases(directory / "cases.txt");
  if (argv[1] == std::string("random"))
    make_random(directory, cases);
  else if (argv[1] == std::string("lut"))
    make_lut(read_wanted(argc, argv), directory, cases);
  else
    make_trained(argv[1], read_wanted(argc, argv), directory, cases);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "interop_graphs: " << error.what() << '\n';
  return 1;
}
