// What happens to a float model before it gets quantizers. It does not change what the model computes, but for the
// rounding of a fold and for channels whose gain is below minimum_gain.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <bitgrad/layers/model.hpp>

namespace bitgrad {

/// Whether a batch normalisation behind the layer can be folded into its weights "kernel" and "bias", channels last.
bool takes_batch_norm(const Layer& layer);

/// Node numbers of such a layer and of the BatchNorm that alone reads it.
struct BatchNormPair {
  int layer = -1;
  int batch_norm = -1;
};

/// All such pairs in order of execution.
std::vector<BatchNormPair> batch_norm_pairs(const Model& model);

/// A copy of the model in which, for every pair, channels with negative gamma are negated (kernel, bias, moving mean
/// and gamma: the product is the same to the bit), and the normalisation of layers for which `fold(name)` is true is
/// folded into their float kernel and bias (power-of-two weights must stay powers of two, so nothing may be left to
/// fold into their scales).
Model prepare_for_quantization(const Model& model, const std::function<bool(std::string_view layer)>& fold);

/// Copies a model node by node: `copy(number, node, inputs)` adds whatever stands for the node to `target` and returns
/// the value that its readers get.
Model rebuild(const Model& model,
              const std::function<Model::Value(Model& target, int number, const Model::Node& node,
                                               const std::vector<Model::Value>& inputs)>& copy,
              const std::function<Model::Value(Model& target)>& input = nullptr);

}  // namespace bitgrad
