// A pass of a direct convolution over a batch: isa/convolution.inc has the loops.
#pragma once

#include <type_traits>
#include <vector>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/framed.hpp>
#include <bitgrad/core/kernels/store.hpp>

namespace bitgrad::kernels::direct {

/// What elements are summed as: int16 as int32, all others as they are.
template <class T>
using SumOf = std::conditional_t<std::is_same_v<T, std::int16_t>, std::int32_t, T>;

/// Where a pass finds the weight between a source and a target channel of one group: at
/// kernel[(kh * k_w + kw) * tap + source channel * source + target channel * target].
struct KernelLayout {
  Index k_w, tap, source, target;
};

/// How sums of integers become int16 codes on the way out, without a tensor of sums between: clamp(half_even(float(sum)
/// * multiplier[c]), lo, hi). Bounds have the zero point taken off and fit int16.
struct OutputCodes {
  const float* multiplier = nullptr;  ///< one per target channel
  std::int32_t lo = 0, hi = 0;
};

/// A pass from a source image to a target image: the forward pass from x to y, the data gradient from dy to dx.
template <class T>
struct Pass {
  Index groups;
  Image source, target;
  std::vector<Phase> heights, widths;
  const T* kernel;
  KernelLayout layout;
  Index group_kernel;     ///< distance between the kernels of two groups
  const SumOf<T>* start;  ///< where the sums of every target channel start; null for zeros
  Store store;
  bool depthwise;  ///< groups is 1 then, and every target channel sees the source channel of the same number
  OutputCodes codes = {};
  std::int32_t lowest = 0;  ///< source element, of a pass whose frames hold bytes

  /// Per group: source channels that meet in one target channel, and target channels.
  Index source_channels() const { return depthwise ? 1 : source.channels / groups; }
  Index target_channels() const { return target.channels / groups; }
};

/// True when taps are one pixel apart, so that the channels under a row of the kernel follow each other.
bool are_neighbours(const Phase& phase);

/// Source elements that follow each other under the kernel: those of one tap, or of a whole row of taps.
template <class T>
Index run_elements(const Pass<T>& pass, const Phase& width) {
  const bool row = pass.groups == 1 && !pass.depthwise && are_neighbours(width);
  return pass.source_channels() * (row ? static_cast<Index>(width.taps.size()) : 1);
}

/// True when every channel has a group of its own, for which there are loops that run along the channels.
inline bool is_depthwise(const Conv2DGeometry& g) { return g.groups > 1 && g.groups == g.in_c && g.groups == g.out_c; }

/// The forward pass of a convolution, whose sums start at `start`.
template <class T>
Pass<T> forward_pass(const Conv2DGeometry& g, const T* kernel, const SumOf<T>* start) {
  return {.groups = is_depthwise(g) ? 1 : g.groups,
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

/// A pass whose weights are packed, for any number of images. T is float, int32 or int16; integers wrap around modulo
/// 2^32. Frame is what the copies of the images hold: T; for int16 also bytes, where the instruction set has_quads,
/// source elements lie between pass.lowest <= 0 and pass.lowest + 255, and weights fit int8. The elements of a run (see
/// run_elements) are multiplied in pairs of int16 or in fours of bytes; what fills up the last one meets weights of
/// zero.
template <class T, class Frame = T>
class PackedPass {
 public:
  explicit PackedPass(Pass<T> pass);
  PackedPass(PackedPass&&) noexcept;
  ~PackedPass();
  /// Fills (or adds to) the target images y.
  void run(Index batch, const T* x, SumOf<T>* y) const;
  /// The same for a pointwise pass without groups over any number of pixels. Up to beyond() elements behind the last
  /// one are read.
  void run_pixels(Index pixels, const Frame* x, SumOf<T>* y) const;
  /// Both, to codes, by the rule of the pass.
  void run(Index batch, const T* x, std::int16_t* y) const requires(sizeof(T) == sizeof(std::int16_t));
  void run_pixels(Index pixels, const Frame* x, std::int16_t* y) const requires(sizeof(T) == sizeof(std::int16_t));
  Index beyond() const { return source_.beyond(); }
  const Held<T, Frame>& held() const { return source_.held(); }

 private:
  using Word = SumOf<T>;  // what the loops see: an element, a pair of int16 or four bytes
  static constexpr Index elements = sizeof(Word) / sizeof(Frame);
  struct Item;
  struct Target;

  void start_from_lowest() requires(sizeof(Frame) == 1);
  Index row_work() const;
  DirectConvolution<Word> arguments(const Item& item) const;
  void run_item(const Item& item, Index row, Index end, const Frame* x, const Target& y) const;
  void run_images(Index batch, const T* x, const Target& y) const;
  void run_pixels_to(Index pixels, const Frame* x, const Target& y) const;

  const KernelTable& loops_;  // those that the weights are packed for
  Pass<T> pass_;
  Source<T, Frame> source_;
  Bands bands_;
  Bands fine_bands_;                // for a single image and several threads: of int16, whose sums do not depend on it
  std::vector<Word> start_;         // of every group, filled up to the end of its last block
  std::vector<float> multipliers_;  // likewise; empty without a rule for codes
  std::vector<Item> items_;         // [phase of rows][phase of columns]
};

}  // namespace bitgrad::kernels::direct
