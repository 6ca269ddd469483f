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

}  // namespace bitgrad
