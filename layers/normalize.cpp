#include <bitgrad/layers/normalize.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

Tensor vector_of(const std::vector<float>& numbers) {
  return Tensor::from({static_cast<Index>(numbers.size())}, numbers);
}

}  // namespace

Normalize::Normalize(NormalizeOptions options) : LayerOf(std::move(options.name)) {
  if (options.mean.empty() || options.deviation.empty())
    fail<ValueError>("Normalize: mean and deviation need at least one number");
  for (const float mean : options.mean)
    if (!std::isfinite(mean)) fail<ValueError>("Normalize: mean is ", mean, ", expected a finite number");
  for (const float deviation : options.deviation)
    if (!(std::isfinite(deviation) && deviation > 0))
      fail<ValueError>("Normalize: deviation is ", deviation, ", expected a positive finite number");
  add_buffer("mean", vector_of(options.mean));
  add_buffer("deviation", vector_of(options.deviation));
}

Shape Normalize::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  for (const auto& [name, value] : buffers())
    if (value.size() != 1 && (input.rank() == 0 || value.size() != input[-1]))
      fail<ShapeError>("Normalize: ", value.size(), " numbers in ", name, " for input of shape ", input,
                       " per sample, expected 1 or as many as channels");
  return input;
}

Variable Normalize::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  const Variable& x = single_input(inputs, type());
  for (const auto& [name, value] : buffers())
    if (value.size() != 1) require_channels(x, value.size(), type());
  return div(sub(x, buffer("mean").to(x.dtype())), buffer("deviation").to(x.dtype()));
}

GraphValue Normalize::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.normalize(inputs.front(), buffer("mean"), buffer("deviation"));
}

}  // namespace bitgrad
