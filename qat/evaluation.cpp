#include <bitgrad/qat/evaluation.hpp>

#include <algorithm>

#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad {
namespace {

constexpr Index images_per_batch = 250;  // bounds the memory; results do not depend on it

}  // namespace

double accuracy(const InferenceGraph& graph, const data::Dataset& dataset) {
  data::check_dataset(dataset, "accuracy");
  const Index count = dataset.size();
  if (count == 0) fail<ShapeError>("accuracy: the data set has no images");
  Index correct = 0;
  for (Index begin = 0; begin < count; begin += images_per_batch) {
    const Index end = std::min(begin + images_per_batch, count);
    const Tensor logits = graph.run(data::to_unit_range(dataset.images.rows(begin, end)));
    correct += correct_count(logits, dataset.labels.rows(begin, end));
  }
  return static_cast<double>(correct) / static_cast<double>(count);
}

double accuracy(const Model& model, const data::Dataset& dataset) {
  return accuracy(convert2inferable(model), dataset);
}

}  // namespace bitgrad
