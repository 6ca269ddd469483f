// Which of TFLite's two kinds of padding a window has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <bitgrad/core/shape.hpp>

namespace bitgrad::tflite {

/// The enumeration Padding of the schema.
inline constexpr std::int8_t padding_same = 0, padding_valid = 1;

/// A window along one axis of an image; `extent` counts the gaps of dilation, `pad` is in front.
struct WindowAxis {
  Index in, extent, stride, out, pad;

  Index total() const { return std::max<Index>((out - 1) * stride + extent - in, 0); }
  bool is_valid() const { return pad == 0 && in >= extent && out == (in - extent) / stride + 1; }
  bool is_same() const { return out == (in + stride - 1) / stride && pad == total() / 2; }
};

/// Empty for any other padding.
inline std::optional<std::int8_t> padding_kind(const WindowAxis& h, const WindowAxis& w) {
  if (h.is_valid() && w.is_valid()) return padding_valid;
  if (h.is_same() && w.is_same()) return padding_same;
  return std::nullopt;
}

}  // namespace bitgrad::tflite
