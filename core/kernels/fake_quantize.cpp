#include <bitgrad/core/kernels/fake_quantize.hpp>

#include <atomic>
#include <cmath>
#include <optional>

#include <bitgrad/core/kernels/code_table.hpp>
#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {
namespace {

/// The layout as rows: outer rows of channels * inner columns.
Index columns(const ChannelLayout& layout) { return layout.channels * layout.inner; }

/// One parameter per channel as a row of the loops: repeated `inner` times, then widened.
template <class T>
class ParameterRow {
 public:
  ParameterRow(const ChannelLayout& layout, const T* values)
      : spread_(spread(layout, values)), wide_(columns(layout), layout.inner == 1 ? values : spread_.data()) {}
  const T* data() const { return wide_.data(); }

 private:
  static std::vector<T> spread(const ChannelLayout& layout, const T* values) {
    std::vector<T> result;
    if (layout.inner == 1) return result;
    result.reserve(static_cast<std::size_t>(columns(layout)));
    for (Index c = 0; c < layout.channels; ++c)
      result.insert(result.end(), static_cast<std::size_t>(layout.inner), values[c]);
    return result;
  }

  std::vector<T> spread_;
  WideRow<T> wide_;
};

/// f(channel) for every channel, as a vector.
template <class T, class F>
std::vector<T> each_channel(const ChannelLayout& layout, F&& f) {
  std::vector<T> result(static_cast<std::size_t>(layout.channels));
  for (Index c = 0; c < layout.channels; ++c) result[static_cast<std::size_t>(c)] = f(c);
  return result;
}

/// Sums of columns, added up per channel.
std::vector<double> fold_inner(const ChannelLayout& layout, const std::vector<double>& sums) {
  return each_channel<double>(layout, [&](Index c) {
    double sum = 0;
    for (Index i = 0; i < layout.inner; ++i) sum += sums[static_cast<std::size_t>(c * layout.inner + i)];
    return sum;
  });
}

/// Calls f(begin, count, width, column) in the pool for pieces of the tensor.
template <class F>
void parallel_layout(const ChannelLayout& layout, F&& f) {
  const Index width = wide_row(columns(layout));
  parallel_rows(layout.outer, columns(layout),
                [&](Index begin, Index count, Index column) { f(begin, count, width, column); });
}

/// The bounds of a LevelGrid, the zero point taken off.
template <class T>
struct LevelBounds {
  LevelBounds(const ChannelLayout& layout, const LevelGrid<T>& grid)
      : lo(shifted(layout, grid, grid.lo)),
        hi(shifted(layout, grid, grid.hi)),
        lo_row(layout, lo.data()),
        hi_row(layout, hi.data()) {}
  static std::vector<T> shifted(const ChannelLayout& layout, const LevelGrid<T>& grid, T bound) {
    check_levels("fake_quantize", grid.lo, grid.hi);
    return each_channel<T>(layout, [&](Index c) {
      return grid.zero_point == nullptr ? bound : centered_bound(bound, grid.zero_point[c]);
    });
  }
  std::vector<T> lo, hi;
  ParameterRow<T> lo_row, hi_row;
};

/// A CodeGrid whose bounds have the zero point taken off, as the loops want it.
struct CenteredGrid {
  CenteredGrid(std::string_view what, const ChannelLayout& layout, const CodeGrid& grid) {
    check_levels(what, grid.lo, grid.hi);
    for (Index c = 0; c < layout.channels; ++c) check_zero_point(what, grid.zero_point[c]);
    lo = each_channel<float>(layout, [&](Index c) { return static_cast<float>(grid.lo - grid.zero_point[c]); });
    hi = each_channel<float>(layout, [&](Index c) { return static_cast<float>(grid.hi - grid.zero_point[c]); });
  }
  std::vector<float> lo, hi;
};

[[noreturn]] void refuse_nan(std::string_view what, const ChannelLayout& layout, const float* x) {
  Index position = 0;
  while (position + 1 < layout.size() && x[position] == x[position]) ++position;
  fail<ValueError>(what, ": element ", position, " is NaN, which has no integer code");
}

}  // namespace

ChannelLayout per_tensor(Index size) { return {size, 1, 1}; }

ChannelLayout per_channel(const Shape& shape, int axis) {
  const int channel_axis = normalize_axis(axis, shape.rank(), "per_channel");
  ChannelLayout layout;
  for (int i = 0; i < shape.rank(); ++i)
    (i < channel_axis ? layout.outer : i > channel_axis ? layout.inner : layout.channels) *= shape[i];
  return layout;
}

ChannelLayout per_channel(const Shape& shape, const Shape& parameters, std::string_view what) {
  if (parameters.size() == 1) return per_tensor(shape.size());
  std::optional<int> axis;
  for (int i = 0; i < parameters.rank(); ++i) {
    if (parameters[i] == 1) continue;
    const int in_tensor = shape.rank() - parameters.rank() + i;
    if (axis || in_tensor < 0 || parameters[i] != shape[in_tensor])
      fail<ShapeError>(what, ": parameters of shape ", parameters, " for a tensor of shape ", shape,
                       ", expected one element, or the extent of the tensor along one axis and 1 along the others");
    axis = in_tensor;
  }
  return per_channel(shape, *axis);
}

template <class T>
void fake_quantize(const ChannelLayout& layout, const T* x, const LevelGrid<T>& grid, T* y) {
  const LevelBounds<T> bounds(layout, grid);
  const ParameterRow<T> scale(layout, grid.scale), offset(layout, grid.offset != nullptr ? grid.offset : grid.scale);
  parallel_layout(layout, [&](Index begin, Index count, Index width, Index column) {
    const T* a = grid.offset != nullptr ? offset.data() + column : nullptr;
    floating_table<T>().fake_quantize(count, width, x + begin, scale.data() + column, a, bounds.lo_row.data() + column,
                                      bounds.hi_row.data() + column, y + begin);
  });
}

template <class T>
FakeQuantizeSums fake_quantize_gradient(const ChannelLayout& layout, const T* x, const LevelGrid<T>& grid,
                                        StraightThrough mode, const T* dy, Store store, T* dx) {
  const LevelBounds<T> bounds(layout, grid);
  const ParameterRow<T> scale(layout, grid.scale), offset(layout, grid.offset != nullptr ? grid.offset : grid.scale);
  const bool outside_sums = mode != StraightThrough::unmasked && (grid.offset != nullptr || grid.zero_point != nullptr);
  const auto sums =
      sum_rows<2>(layout.outer, columns(layout), [&](Index begin, Index count, Index width, double* partial) {
        const FakeQuantizeGradient<T> piece{.n = count,
                                            .width = width,
                                            .x = x + begin,
                                            .scale = scale.data(),
                                            .offset = grid.offset != nullptr ? offset.data() : nullptr,
                                            .lo = bounds.lo_row.data(),
                                            .hi = bounds.hi_row.data(),
                                            .masked = mode != StraightThrough::unmasked,
                                            .by_value = mode == StraightThrough::value_masked,
                                            .dy = dy + begin,
                                            .dx = dx != nullptr ? dx + begin : nullptr,
                                            .add = store == Store::add,
                                            .scale_sums = partial,
                                            .offset_sums = outside_sums ? partial + width : nullptr};
        floating_table<T>().fake_quantize_gradient(&piece);
      });
  return {fold_inner(layout, sums[0]), fold_inner(layout, sums[1])};
}

void quantize_to_values(const ChannelLayout& layout, const float* x, const CodeGrid& grid, float* y) {
  const CenteredGrid centered("quantize_to_values", layout, grid);
  const auto inverses = each_channel<float>(layout, [&](Index c) { return 1.0f / grid.scale[c]; });
  const ParameterRow<float> inverse(layout, inverses.data()), scale(layout, grid.scale);
  const ParameterRow<float> lo(layout, centered.lo.data()), hi(layout, centered.hi.data());
  parallel_layout(layout, [&](Index begin, Index count, Index width, Index column) {
    table().quantize_to_values(count, width, x + begin, inverse.data() + column, scale.data() + column,
                               lo.data() + column, hi.data() + column, y + begin);
  });
}

template <class Code>
void quantize_to_codes(const ChannelLayout& layout, const float* x, const CodeGrid& grid, std::string_view what,
                       Code* q) {
  const CenteredGrid centered(what, layout, grid);
  check_codes<Code>(what, grid.lo, grid.hi);
  const ParameterRow<float> scale(layout, grid.scale), lo(layout, centered.lo.data()), hi(layout, centered.hi.data());
  const ParameterRow<std::int32_t> zero_point(layout, grid.zero_point);
  std::atomic<bool> found_nan{false};
  parallel_layout(layout, [&](Index begin, Index count, Index width, Index column) {
    if (code_table<Code>().quantize(count, width, x + begin, scale.data() + column, lo.data() + column,
                                    hi.data() + column, zero_point.data() + column, q + begin))
      found_nan = true;
  });
  if (found_nan) refuse_nan(what, layout, x);
}

template <class Code>
void codes_to_values(const ChannelLayout& layout, const Code* q, const CodeGrid& grid, float* y) {
  const ParameterRow<float> scale(layout, grid.scale);
  const ParameterRow<std::int32_t> zero_point(layout, grid.zero_point);
  parallel_layout(layout, [&](Index begin, Index count, Index width, Index column) {
    code_table<Code>().to_values(count, width, q + begin, scale.data() + column, zero_point.data() + column, y + begin);
  });
}

#define BITGRAD_INSTANTIATE(T)                                                                             \
  template void fake_quantize<T>(const ChannelLayout&, const T*, const LevelGrid<T>&, T*);                 \
  template FakeQuantizeSums fake_quantize_gradient<T>(const ChannelLayout&, const T*, const LevelGrid<T>&, \
                                                      StraightThrough, const T*, Store, T*);
BITGRAD_INSTANTIATE(float)
BITGRAD_INSTANTIATE(double)
#undef BITGRAD_INSTANTIATE

#define BITGRAD_INSTANTIATE(Code)                                                                                      \
  template void quantize_to_codes<Code>(const ChannelLayout&, const float*, const CodeGrid&, std::string_view, Code*); \
  template void codes_to_values<Code>(const ChannelLayout&, const Code*, const CodeGrid&, float*);
BITGRAD_INSTANTIATE(std::int32_t)
BITGRAD_INSTANTIATE(std::uint8_t)
BITGRAD_INSTANTIATE(std::int8_t)
BITGRAD_INSTANTIATE(std::int16_t)
#undef BITGRAD_INSTANTIATE

}  // namespace bitgrad::kernels
