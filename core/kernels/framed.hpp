// How the direct convolutions read images: bands of rows, with zeros around them.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include <bitgrad/core/kernels/isa/table.hpp>
#include <bitgrad/core/kernels/sliding.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels::direct {

/// Inputs of a band: 64 KiB, twice a first-level cache. Shorter bands cost more, in rows that two of them see and in
/// sums stored and loaded, than the cache gains.
inline constexpr Index band_elements = Index{1} << 14;
inline constexpr Index chunk_work = Index{1} << 20;  ///< multiply-adds that are worth a chunk of their own

/// Channels filled up to the end of the last block.
inline Index filled(Index channels) {
  Index sum = 0;
  while (sum < channels) sum += table().channel_block(channels - sum);
  return sum;
}

/// One channels-last image of a batch.
struct Image {
  Index height, width, channels;
  Index size() const { return height * width * channels; }
};

/// How a frame holds the elements of an image: as they are; or codes as bytes, of which `lowest` is the byte 0.
template <class From, class To>
struct Held {
  static constexpr bool as_bytes = std::is_same_v<To, std::uint8_t>;
  std::int32_t lowest = 0;

  To operator()(From x) const {
    if constexpr (as_bytes)
      return static_cast<To>(x - lowest);
    else
      return static_cast<To>(x);
  }
  To* copy(const From* from, Index n, To* to) const {
    if constexpr (as_bytes) {
      table().codes_to_bytes(n, from, lowest, to);
      return to + n;
    } else {
      return std::copy_n(from, n, to);
    }
  }
};

/// Pixels of `channels` channels as such of `filled_channels`, the additional ones zero.
template <class From, class To>
void copy_pixels(const Held<From, To>& held, const From* from, Index pixels, Index channels, Index filled_channels,
                 To* to) {
  if (channels == filled_channels) {
    held.copy(from, pixels * channels, to);
  } else {
    for (Index i = 0; i < pixels; ++i, from += channels, to += filled_channels)
      std::fill_n(held.copy(from, channels, to), filled_channels - channels, To{0});
  }
}

/// Rows [rows.begin, rows.end) and columns [columns.begin, columns.end) of an image, zeros around it, with `channels`
/// channels of which the additional ones meet zero weights.
template <class From, class To>
void copy_framed(const Held<From, To>& held, const Image& image, const From* x, Span rows, Span columns, Index channels,
                 To* out) {
  const To zero = held(From{0});
  const Index left = std::min(std::max<Index>(-columns.begin, 0), columns.size());
  const Index inside = std::max<Index>(std::min(columns.end, image.width) - std::max<Index>(columns.begin, 0), 0);
  const Index right = columns.size() - left - inside;
  for (Index row = rows.begin; row < rows.end; ++row, out += columns.size() * channels) {
    if (row < 0 || row >= image.height || inside == 0) {
      std::fill_n(out, columns.size() * channels, zero);
      continue;
    }
    const From* from = x + (row * image.width + columns.begin + left) * image.channels;
    To* to = std::fill_n(out, left * channels, zero);
    copy_pixels(held, from, inside, image.channels, channels, to);
    std::fill_n(to + inside * channels, right * channels, zero);
  }
}

/// The same into a frame that holds zeros or another image in the same place: what surrounds the image stays.
template <class From, class To>
void copy_inside(const Held<From, To>& held, const Image& image, const From* x, Span rows, Span columns, Index channels,
                 To* out) {
  const Index begin = std::max<Index>(columns.begin, 0), end = std::min(columns.end, image.width);
  const Index first = std::max<Index>(rows.begin, 0), last = std::min(rows.end, image.height);
  for (Index row = first; row < last && begin < end; ++row) {
    copy_pixels(held, x + (row * image.width + begin) * image.channels, end - begin, image.channels, channels,
                out + ((row - rows.begin) * columns.size() + begin - columns.begin) * channels);
  }
}

/// How the kernels see images: framed copies of bands of them, or the images themselves where they serve. `beyond`
/// elements behind the last pixel are read, of any value.
template <class From, class To = From>
class Source {
 public:
  Source(const Image& image, Span all_rows, Span columns, Index channels, Index beyond = 0, Held<From, To> held = {})
      : image_(image), columns_(columns), channels_(channels), beyond_(beyond), held_(held) {
    direct_ = beyond == 0 && std::is_same_v<From, To> && channels == image.channels && all_rows.begin >= 0 &&
              all_rows.end <= image.height && columns.begin >= 0 && columns.end <= image.width;
  }
  bool direct() const { return direct_; }
  Index pixel() const { return channels_; }
  Index beyond() const { return beyond_; }
  const Held<From, To>& held() const { return held_; }
  Index row() const { return channels_ * (direct_ ? image_.width : columns_.size()); }
  /// Elements of scratch for a band of that many rows.
  Index scratch(Index rows) const { return direct_ ? 1 : rows * row() + beyond_; }
  /// Whether clear() pays for copies of the same rows of so many images.
  bool clears(Index images) const { return !direct_ && images > 1; }
  /// Zeros for such copies.
  void clear(Index rows, To* scratch) const { std::fill_n(scratch, rows * row(), held_(From{0})); }
  /// Where pixel (0, 0) of image n of x would lie, given a band of its rows that the caller reads. Cleared: the scratch
  /// was, and has only seen these rows since.
  const To* band(const From* x, Index n, Span rows, To* scratch, bool cleared = false) const {
    const From* image = x + n * image_.size();
    if constexpr (std::is_same_v<From, To>)
      if (direct_) return image;
    if (cleared)
      copy_inside(held_, image_, image, rows, columns_, channels_, scratch);
    else
      copy_framed(held_, image_, image, rows, columns_, channels_, scratch);
    return scratch - rows.begin * row() - columns_.begin * channels_;
  }

 private:
  Image image_;
  Span columns_;
  Index channels_, beyond_;
  Held<From, To> held_;
  bool direct_;
};

/// The output rows of every phase of one image, cut into bands.
class Bands {
 public:
  /// `elements` of the source fit a band, where `source_row` is the length of its rows.
  Bands(std::vector<Phase> all_heights, Index source_row, Index elements) : heights_(std::move(all_heights)) {
    const Index all = most_outputs(heights_), first = seen(heights_, 0, 1).size();
    const Index further = std::max<Index>(seen(heights_, 0, 2).size() - first, 1);  // source rows per row more
    const Index room = elements / std::max<Index>(source_row, 1);
    cut(std::clamp<Index>(1 + (room - first) / further, 1, all));
  }
  /// The same in bands of at most so many rows.
  Bands of_rows(Index most) const {
    Bands bands = *this;
    bands.cut(std::clamp<Index>(most, 1, rows_));
    return bands;
  }
  Index count() const { return count_; }
  Index rows() const { return rows_; }                ///< of the largest band
  Index source_rows() const { return source_rows_; }  ///< that the hungriest band sees
  Index begin(Index band) const { return band * rows_; }
  Index end(Index band, const Phase& phase) const { return std::min((band + 1) * rows_, phase.count); }
  Span source(Index band) const { return seen(heights_, band * rows_, (band + 1) * rows_); }

 private:
  void cut(Index most) {
    const Index all = most_outputs(heights_);
    rows_ = chunk_count(all, chunk_count(all, most));
    count_ = chunk_count(all, rows_);
    source_rows_ = 0;
    for (Index band = 0; band < count_; ++band) source_rows_ = std::max(source_rows_, source(band).size());
  }

  std::vector<Phase> heights_;
  Index rows_ = 0, count_ = 0, source_rows_ = 0;
};

/// Few pixels of a pointwise convolution are one row of them, so that tiles fill.
inline Conv2DGeometry flattened(Conv2DGeometry g) {
  constexpr Index few = 64;
  const bool pointwise =
      g.k_h == 1 && g.k_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.out_h == g.in_h && g.out_w == g.in_w;
  if (!pointwise || g.in_h * g.in_w > few) return g;
  g.in_w = g.out_w = g.in_h * g.in_w;
  g.in_h = g.out_h = 1;
  return g;
}

inline Image input_of(const Conv2DGeometry& g) { return {g.in_h, g.in_w, g.in_c}; }
inline Image output_of(const Conv2DGeometry& g) { return {g.out_h, g.out_w, g.out_c}; }

}  // namespace bitgrad::kernels::direct
