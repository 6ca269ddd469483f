// Accuracy, always from what ships.
#pragma once

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// Share of the images that a graph with one logit per class classifies right, in [0, 1]. ShapeError when the graph
/// does not take the images.
double accuracy(const InferenceGraph& graph, const data::Dataset& dataset);
/// The same of evaluate(model, images): the live model is lowered and its graph is run.
double accuracy(const Model& model, const data::Dataset& dataset);

}  // namespace bitgrad
