// Training in its plainest form, so that layers are tested without an optimizer.
#pragma once

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/model.hpp>

namespace support {

/// One step of gradient descent; returns the loss before it.
inline double step(bitgrad::Model& model, const bitgrad::Tensor& x, const bitgrad::Tensor& labels, double rate,
                   std::uint64_t seed) {
  using namespace bitgrad;
  model.zero_gradient();
  Tape tape;
  const Variable loss = cross_entropy(model.forward(x, {.training = true, .seed = seed}), labels);
  tape.backward(loss);
  for (auto& [name, parameter] : model.parameters()) {
    const auto gradient = parameter->gradient().span<float>();
    const auto value = parameter->value().span<float>();
    for (std::size_t i = 0; i < value.size(); ++i) value[i] -= static_cast<float>(rate) * gradient[i];
  }
  return loss.value().item();
}

}  // namespace support
