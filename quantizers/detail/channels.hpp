// Which elements of a tensor share the parameters of one channel.
#pragma once

#include <optional>
#include <string_view>

#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// Layout for `count` parameters along `axis` (negative counts from the end; none: one for the whole tensor). Throws
/// ShapeError naming `what` when the axis is out of range or the counts differ.
kernels::ChannelLayout channel_layout(const Shape& shape, std::optional<int> axis, Index count, std::string_view what);

}  // namespace bitgrad
