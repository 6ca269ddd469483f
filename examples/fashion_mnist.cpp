// The main job in library calls: train in float, train on with 4-bit quantizers, freeze, verify.
// Usage: fashion_mnist [IMAGES [DIRECTORY]]: train on the first IMAGES images (default: all), write into DIRECTORY.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include <bitgrad/bitgrad.hpp>

using namespace bitgrad;

namespace {

data::Dataset load(data::Split split, Index images) {
  data::Dataset dataset = data::load_dataset("fashion-mnist", split);
  const Index count = images > 0 ? std::min(images, dataset.size()) : dataset.size();
  dataset.images = dataset.images.rows(0, count);  // uint8 [count, 28, 28, 1]
  dataset.labels = dataset.labels.rows(0, count);
  return dataset;
}

/// Two convolutions and a dense layer; the size of each input is found by build().
Model network() {
  return Sequential(Conv2D({.filters = 16, .kernel = 3, .bias = false}), BatchNorm(), ReLU(), MaxPool2D(),  //
                    Conv2D({.filters = 32, .kernel = 3, .bias = false}), BatchNorm(), ReLU(), MaxPool2D(),  //
                    Flatten(), Dense({.units = 10}));
}

/// After every epoch: what was learned, by evaluation on images that the model has not seen.
TrainingCallbacks watch(const Model& model, const data::Dataset& test) {
  const auto after_epoch = [&](const EpochResult& result) {
    std::cout << "  epoch " << result.epoch << ": loss " << result.loss << ", test accuracy "
              << 100 * accuracy(model, test) << " %, " << static_cast<int>(result.images_per_second) << " images/s"
              << std::endl;
  };
  return {.step = {}, .epoch = after_epoch};
}

void run(Index images, const std::string& directory) {
  const data::Dataset train = load(data::Split::train, images), test = load(data::Split::test, images);

  std::cout << "float\n";
  Model model = network();
  model.build({28, 28, 1}, /*seed=*/1);
  fit(model, train, {.epochs = 4, .batch = 64, .learning_rate = 2e-3}, watch(model, test));

  // Quantizers start from 500 images: 4 bits everywhere, 8 in the first and last layer.
  std::cout << "4 bits\n";
  const QuantizationConfig config{.weights = QuantizerSpec{.quantizer = "lsq", .bits = 4},
                                  .activations = QuantizerSpec{.quantizer = "lsq", .bits = 4}};
  const Tensor representative = data::to_unit_range(train.images.rows(0, std::min<Index>(500, train.size())));
  Model quantized = quantization_aware_training_init(model, representative, config);
  fit(quantized, train, quantized_training({.epochs = 2, .batch = 64}), watch(quantized, test));

  // Integers from here on. What is saved is what was trained, code by code.
  convert2inferable(quantized).save(directory);
  const InferenceGraph graph = InferenceGraph::load(directory);
  std::cout << "frozen: " << 100 * accuracy(graph, test) << " %, " << graph.weight_bytes() << " bytes, float "
            << 100 * accuracy(model, test) << " %, " << convert2inferable(model).weight_bytes() << " bytes\n";
  const VerifyReport report = verify(quantized, graph, data::to_unit_range(test.images));
  std::cout << report.describe();
  if (!report.passed()) throw Error("the frozen graph differs from the model");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? std::atoll(argv[1]) : 0, argc > 2 ? argv[2] : "fashion_mnist_graph");
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "fashion_mnist: " << error.what() << '\n';
    return 1;
  }
}
