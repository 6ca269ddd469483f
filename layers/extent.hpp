// Height and width in options, where one number means both.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// `3` is {3, 3}; `{1, 5}` is height 1, width 5. Conversions are implicit so that options read `.kernel = 3`.
struct Extent2D {
  Extent2D(Index both) : h(both), w(both) {}  // NOLINT(google-explicit-constructor)
  Extent2D(Index height, Index width) : h(height), w(width) {}
  operator Stride() const { return {h, w}; }      // NOLINT(google-explicit-constructor)
  operator PoolWindow() const { return {h, w}; }  // NOLINT(google-explicit-constructor)
  bool operator==(const Extent2D&) const = default;

  Index h;
  Index w;
};

/// Throws ValueError naming `what` for an extent below 1.
void require_positive(std::string_view what, const Extent2D& extent);

/// The only shape of a layer that takes an image (height, width, channels); ShapeError naming the layer type otherwise.
const Shape& image_input(std::span<const Shape> inputs, std::string_view layer_type);

}  // namespace bitgrad
