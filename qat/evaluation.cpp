#include <bitgrad/qat/evaluation.hpp>

#include <algorithm>

#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad {
namespace {

constexpr Index images_per_batch = 250;  // bounds the memory; results do not depend on it

}  // namespace

void for_each_batch(const InferenceGraph& graph, const data::Dataset& dataset,
                    const std::function<void(Index, const Tensor&, const Tensor&)>& f) {
  const InferenceSession session(graph);
  for (Index begin = 0; begin < dataset.size(); begin += images_per_batch) {
    const Index end = std::min(begin + images_per_batch, dataset.size());
    f(begin, session.run(data::to_unit_range(dataset.images.rows(begin, end))), dataset.labels.rows(begin, end));
  }
}

double accuracy(const InferenceGraph& graph, const data::Dataset& dataset) {
  data::check_dataset(dataset, "accuracy");
  const Index count = dataset.size();
  if (count == 0) fail<ShapeError>("accuracy: the data set has no images");
  Index correct = 0;
  for_each_batch(graph, dataset,
                 [&](Index, const Tensor& logits, const Tensor& labels) { correct += correct_count(logits, labels); });
  return static_cast<double>(correct) / static_cast<double>(count);
}

double accuracy(const Model& model, const data::Dataset& dataset) {
  return accuracy(convert2inferable(model), dataset);
}

}  // namespace bitgrad
