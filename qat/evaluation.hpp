// Accuracy, always from what ships.
#pragma once

#include <functional>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// Runs the graph on all images, some hundred at a time, and calls f(number of the first one, logits [n, classes],
/// labels [n]) for each part in order. ShapeError when the graph does not take the images.
void for_each_batch(const InferenceGraph& graph, const data::Dataset& dataset,
                    const std::function<void(Index first, const Tensor& logits, const Tensor& labels)>& f);

/// Share of the images that a graph with one logit per class classifies right, in [0, 1]. ShapeError when the graph
/// does not take the images, gives no logits or there are no images; ValueError for a label that is no class and a
/// logit that is NaN.
double accuracy(const InferenceGraph& graph, const data::Dataset& dataset);
/// The same of evaluate(model, images): the live model is lowered and its graph is run. Throws likewise, and as
/// convert2inferable().
double accuracy(const Model& model, const data::Dataset& dataset);

}  // namespace bitgrad
