// A pass of a direct convolution over a batch: isa/convolution.inc has the loops.
#pragma once

#include <bitgrad/core/kernels/framed.hpp>
#include <bitgrad/core/kernels/store.hpp>

namespace bitgrad::kernels::direct {

/// Where a pass finds the weight between a source and a target channel of one group: at
/// kernel[(kh * k_w + kw) * tap + source channel * source + target channel * target].
struct KernelLayout {
  Index k_w, tap, source, target;
};

/// A pass from a source image to a target image: the forward pass from x to y, the data gradient from dy to dx.
template <class T>
struct Pass {
  Index batch, groups;
  Image source, target;
  std::vector<Phase> heights, widths;
  const T* kernel;
  KernelLayout layout;
  Index group_kernel;  ///< distance between the kernels of two groups
  const T* start;      ///< where the sums of every target channel start; null for zeros
  Store store;
  bool depthwise;  ///< groups is 1 then, and every target channel sees the source channel of the same number

  /// Per group: source channels that meet in one target channel, and target channels.
  Index source_channels() const { return depthwise ? 1 : source.channels / groups; }
  Index target_channels() const { return target.channels / groups; }
};

/// True when every channel has a group of its own, for which there are loops that run along the channels.
inline bool is_depthwise(const Conv2DGeometry& g) { return g.groups > 1 && g.groups == g.in_c && g.groups == g.out_c; }

/// The forward pass of a convolution, whose sums start at `start`.
template <class T>
Pass<T> forward_pass(const Conv2DGeometry& g, const T* kernel, const T* start) {
  return {.batch = g.batch,
          .groups = is_depthwise(g) ? 1 : g.groups,
          .source = input_of(g),
          .target = output_of(g),
          .heights = {forward_phase(height_of(g))},
          .widths = {forward_phase(width_of(g))},
          .kernel = kernel,
          .layout = {.k_w = g.k_w, .tap = g.in_c / g.groups * g.out_c, .source = g.out_c, .target = 1},
          .group_kernel = g.out_c / g.groups,
          .start = start,
          .store = Store::overwrite,
          .depthwise = is_depthwise(g)};
}

/// Fills (or adds to) the target images y. T is float or int32; integers wrap around modulo 2^32.
template <class T>
void run(const Pass<T>& pass, const T* x, T* y);

}  // namespace bitgrad::kernels::direct
