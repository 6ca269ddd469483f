// Where the windows of a convolution lie: along one axis, and in copies of the image with zeros around it.
#pragma once

#include <algorithm>
#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad::kernels::direct {

/// One axis of a convolution.
struct Axis {
  Index in, out, kernel, stride, dilation, pad;
};

inline Axis height_of(const Conv2DGeometry& g) { return {g.in_h, g.out_h, g.k_h, g.stride_h, g.dilation_h, g.pad_top}; }
inline Axis width_of(const Conv2DGeometry& g) { return {g.in_w, g.out_w, g.k_w, g.stride_w, g.dilation_w, g.pad_left}; }

/// A kernel position that reaches an output from the position `shift` away from where the walk over the source stands.
struct Tap {
  Index kernel, shift;
};

/// Outputs first, first + step, ... below `count` * step that all see the same taps of a source: output first + j *
/// step is the sum over taps of source[j * source_step + tap.shift] * kernel[tap.kernel]. Taps are in the order of
/// their shifts.
struct Phase {
  Index first, step, count, source_step;
  std::vector<Tap> taps;
};

/// Outputs of the forward pass: one phase.
inline Phase forward_phase(const Axis& axis) {
  Phase phase{0, 1, axis.out, axis.stride, {}};
  for (Index k = 0; k < axis.kernel; ++k) phase.taps.push_back({k, k * axis.dilation - axis.pad});
  return phase;
}

/// Positions of the input, as outputs of the data gradient: those that are congruent modulo the stride see the same
/// taps of the output's gradient, at neighbouring places. A phase without taps has zeros.
inline std::vector<Phase> gradient_phases(const Axis& axis) {
  std::vector<Phase> phases;
  for (Index rest = 0; rest < axis.stride; ++rest) {  // (position + pad) modulo stride
    const Index first = ((rest - axis.pad) % axis.stride + axis.stride) % axis.stride;
    if (first >= axis.in) continue;
    Phase phase{first, axis.stride, (axis.in - first + axis.stride - 1) / axis.stride, 1, {}};
    const Index place = (first + axis.pad - rest) / axis.stride;
    for (Index k = axis.kernel; k-- > 0;)
      if (k * axis.dilation % axis.stride == rest)
        phase.taps.push_back({k, place - (k * axis.dilation - rest) / axis.stride});
    phases.push_back(std::move(phase));
  }
  return phases;
}

/// The source positions, from `begin` to before `end`, that outputs j in [j_begin, j_end) of some phases see.
struct Span {
  Index begin = 0, end = 0;
  Index size() const { return end - begin; }
};
inline Span seen(const std::vector<Phase>& phases, Index j_begin, Index j_end) {
  Span span;
  for (const Phase& phase : phases) {
    const Index last = std::min(j_end, phase.count) - 1;
    if (phase.taps.empty() || last < j_begin) continue;
    const Index begin = j_begin * phase.source_step + phase.taps.front().shift;
    const Index end = last * phase.source_step + phase.taps.back().shift + 1;
    span = span.size() == 0 ? Span{begin, end} : Span{std::min(span.begin, begin), std::max(span.end, end)};
  }
  return span;
}

/// Most outputs per phase.
inline Index most_outputs(const std::vector<Phase>& phases) {
  Index most = 0;
  for (const Phase& phase : phases) most = std::max(most, phase.count);
  return most;
}

}  // namespace bitgrad::kernels::direct
