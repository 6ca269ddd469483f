// A frozen graph in a program of its own: no tape, no layers, no training.
// Usage: inference_only [DIRECTORY]: a graph written by InferenceGraph::save (fashion_mnist writes
// fashion_mnist_graph).
#include <iostream>
#include <string>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/inference/session.hpp>

using namespace bitgrad;

int main(int argc, char** argv) {
  try {
    const data::Dataset test = data::load_dataset("fashion-mnist", data::Split::test);
    const InferenceGraph graph = InferenceGraph::load(argc > 1 ? argv[1] : "fashion_mnist_graph");
    std::cout << graph.describe();

    const Tensor images = data::to_unit_range(test.images.rows(0, 10));  // float32 [10, 28, 28, 1] in [0, 1]
    const InferenceSession session(graph);                               // weights are packed once, here
    const Tensor classes = predictions(session.run(images));             // int32 [10]
    for (Index i = 0; i < classes.size(); ++i) {
      const auto name = [&](const Tensor& labels) {
        return test.class_names[static_cast<std::size_t>(labels.at<std::int32_t>({i}))];
      };
      std::cout << "image " << i << " is " << name(test.labels) << ", predicted " << name(classes) << '\n';
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "inference_only: " << error.what() << '\n';
    return 1;
  }
}
