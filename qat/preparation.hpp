// What happens to a float model before it gets quantizers, and what they find there.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/quantizers/mark.hpp>

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

/// A copy of the model in which, for every pair, channels with negative gamma are negated: kernel, bias, moving mean
/// and gamma, so that what it computes is the same to the bit.
Model prepare_for_quantization(const Model& model);

/// Whether a weight is quantized with the gain of the normalisation behind it: kernels whose scales must stay powers of
/// two, so that nothing may be left to fold into them.
bool quantized_with_gain(std::string_view weight, QuantizationMethod method);

/// The kernel of a pair with every channel multiplied by the gain that fold_batch_norm() gives it. Throws as that.
Tensor kernel_with_gain(const Layer& layer, const BatchNorm& batch_norm);

/// Copies a model node by node: `copy(number, node, inputs)` adds whatever stands for the node to `target` and returns
/// the value that its readers get.
Model rebuild(const Model& model,
              const std::function<Model::Value(Model& target, int number, const Model::Node& node,
                                               const std::vector<Model::Value>& inputs)>& copy,
              const std::function<Model::Value(Model& target)>& input = nullptr);

}  // namespace bitgrad
