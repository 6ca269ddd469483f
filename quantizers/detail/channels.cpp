#include <bitgrad/quantizers/detail/channels.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

kernels::ChannelLayout channel_layout(const Shape& shape, std::optional<int> axis, Index count, std::string_view what) {
  if (!axis) return kernels::per_tensor(shape.size());
  const int normalized = normalize_axis(*axis, shape.rank(), what);
  if (shape[normalized] != count)
    fail<ShapeError>(what, ": axis ", *axis, " of a tensor of shape ", shape, " has ", shape[normalized],
                     " channels, expected ", count);
  return kernels::per_channel(shape, normalized);
}

kernels::ChannelLayout channel_layout(const Shape& shape, const Shape& parameters, std::string_view what) {
  if (parameters.size() == 1) return kernels::per_tensor(shape.size());
  std::optional<int> axis;
  for (int i = 0; i < parameters.rank(); ++i) {
    if (parameters[i] == 1) continue;
    const int in_tensor = shape.rank() - parameters.rank() + i;
    if (axis || in_tensor < 0 || parameters[i] != shape[in_tensor])
      fail<ShapeError>(what, ": parameters of shape ", parameters, " for a tensor of shape ", shape,
                       ", expected one element, or the extent of the tensor along one axis and 1 along the others");
    axis = in_tensor;
  }
  return kernels::per_channel(shape, *axis);
}

}  // namespace bitgrad
