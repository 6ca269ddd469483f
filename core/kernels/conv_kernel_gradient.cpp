#include <bitgrad/core/kernels/conv.hpp>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/conv_pass.hpp>

namespace bitgrad::kernels {
namespace direct {
namespace {

/// The gradient of a kernel as matrices of terms (row, column and input channel of the kernel) and blocks of output
/// channels, one per group, summed over the batch.
class KernelGradientPass {
 public:
  KernelGradientPass(const Conv2DGeometry& geometry, const float* x, const float* dy)
      : g_(geometry),
        depthwise_(is_depthwise(geometry)),
        heights_{forward_phase(height_of(geometry))},
        widths_{forward_phase(width_of(geometry))},
        source_(input_of(geometry), seen(heights_, 0, geometry.out_h), seen(widths_, 0, geometry.out_w),
                depthwise_ ? filled(geometry.in_c) : geometry.in_c),
        bands_(heights_, source_.row(), band_elements),
        x_(x),
        dy_(dy),
        in_(geometry.in_c / geometry.groups),
        groups_(depthwise_ ? 1 : geometry.groups),
        out_(geometry.out_c / groups_),
        row_(filled(out_)),
        terms_(static_cast<Index>(heights_[0].taps.size() * widths_[0].taps.size()) * in_),
        offsets_(terms_) {
    Index* offset = offsets_.data();
    for (const Tap& h : heights_[0].taps)
      for (const Tap& w : widths_[0].taps)
        for (Index i = 0; i < in_; ++i) *offset++ = h.shift * source_.row() + w.shift * source_.pixel() + i;
  }

  void run(float* dkernel) const {
    const Index chunk = bands_per_chunk(), chunks = chunk_count(all_bands(), chunk), parts = parts_per_chunk(chunks);
    const Scratch<float> partial(std::max<Index>(chunks, 1) * size());
    parallel_for(chunks * parts, 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i)
        sum_chunk(i / parts * chunk, std::min((i / parts + 1) * chunk, all_bands()), blocks_of(i % parts, parts),
                  partial.data() + i / parts * size());
    });
    for (Index i = 0; i < chunks; ++i)
      for (Index group = 0; group < groups_; ++group)
        add_blocks(partial.data() + i * size() + group * terms() * row_, dkernel + group * out_);
  }

 private:
  Index terms() const { return terms_; }
  Index size() const { return groups_ * terms() * row_; }
  Index all_bands() const { return g_.batch * bands_.count(); }
  Index block() const { return table().channel_block(out_); }  ///< all but the last one have this width

  /// Partial sums cost memory traffic of their own, so a chunk has some hundred pixels at least; at most 16 chunks.
  Index bands_per_chunk() const {
    constexpr Index enough_pixels = 512, most_chunks = 16;
    const Index pixels = bands_.rows() * g_.out_w, work = std::max<Index>(pixels * terms() * g_.out_c, 1);
    return std::max<Index>(
        {chunk_count(all_bands(), most_chunks), chunk_count(enough_pixels, pixels), chunk_count(chunk_work, work), 1});
  }
  /// Few chunks are cut further, into blocks of output channels.
  Index parts_per_chunk(Index chunks) const {
    constexpr Index enough = 8;
    const Index work = bands_per_chunk() * bands_.rows() * g_.out_w * terms() * g_.out_c;
    const Index most = std::min(chunk_count(out_, block()), work / chunk_work);
    return std::clamp<Index>(chunk_count(enough, std::max<Index>(chunks, 1)), 1, std::max<Index>(most, 1));
  }
  /// Channels of a group that belong to one part, whole blocks.
  Span blocks_of(Index part, Index parts) const {
    const Index blocks = chunk_count(out_, block());
    return {part * blocks / parts * block(), std::min((part + 1) * blocks / parts * block(), out_)};
  }

  /// sums += gradients of the bands [begin, end) for some channels of every group.
  void sum_chunk(Index begin, Index end, Span channels, float* sums) const {
    const Index most = images_per_step(), first = channels.begin * terms(), count = filled(channels.size()) * terms();
    const Scratch<float> frame(most * source_.scratch(bands_.source_rows()));
    const Scratch<float> packed(most * bands_.rows() * g_.out_w * block());
    for (Index group = 0; group < groups_; ++group) std::fill_n(sums + group * terms() * row_ + first, count, 0.0f);
    for (Index i = begin; i < end;) {
      const Index images = std::min(most, end - i);  // more than one only where a band is an image
      step(i / bands_.count(), images, i % bands_.count(), channels, frame.data(), packed.data(), sums + first);
      i += images;
    }
  }

  /// Images taken at once, when they are small: the sums are read and written once for all of them.
  Index images_per_step() const {
    constexpr Index enough_pixels = 128;
    if (bands_.count() > 1) return 1;
    const Index fit = band_elements / std::max<Index>(g_.in_h * source_.row(), 1);
    return std::clamp<Index>(chunk_count(enough_pixels, g_.out_h * g_.out_w), 1, std::max<Index>(fit, 1));
  }

  /// Images [n, n + images), one band of each.
  void step(Index n, Index images, Index band, Span channels, float* frame, float* packed, float* sums) const {
    const Index row = bands_.begin(band), frame_size = source_.scratch(bands_.source_rows());
    const float* x = nullptr;
    for (Index i = images; i-- > 0;) x = source_.band(x_, n + i, bands_.source(band), frame + i * frame_size);
    KernelGradient p{.images = images,
                     .rows = bands_.end(band, heights_[0]) - row,
                     .pixels = g_.out_w,
                     .channels = 0,
                     .x = x + row * g_.stride_h * source_.row(),
                     .x_image = source_.direct() ? g_.in_h * source_.row() : frame_size,
                     .x_row = g_.stride_h * source_.row(),
                     .x_pixel = g_.stride_w * source_.pixel(),
                     .offset = offsets_.data(),
                     .terms = terms(),
                     .run_length = groups_ == 1 && g_.dilation_w == 1 ? g_.k_w * in_ : in_,
                     .dy = dy_ + (n * g_.out_h + row) * g_.out_w * g_.out_c,
                     .dy_image = g_.out_h * g_.out_w * g_.out_c,
                     .dy_row = g_.out_w * g_.out_c,
                     .dy_pixel = g_.out_c,
                     .sums = sums,
                     .products = depthwise_ ? Products::depthwise : Products::dense};
    for (Index group = 0; group < groups_; ++group) {
      sum_blocks(p, channels, packed);
      p.x += in_;
      p.dy += out_;
      p.sums += terms() * row_;
    }
  }

  /// Block by block, each from pixels of its own: neighbouring pixels of many channels would compete for the same few
  /// places of the cache. With few terms the copy does not pay, unless a block has to be filled up with zeros.
  void sum_blocks(KernelGradient p, Span channels, float* packed) const {
    constexpr Index many_terms = 64;
    const float *x = p.x, *dy = p.dy;
    for (Index c = channels.begin; c < channels.end;) {
      const Index width = table().channel_block(channels.end - c);
      p.channels = std::min(width, channels.end - c);
      p.x = depthwise_ ? x + c : x;
      p.dy = dy + c;
      const bool pack = p.channels < width || (width < p.dy_pixel && terms() >= many_terms);
      const KernelGradient block = pack ? with_packed_pixels(p, width, packed) : p;
      table().kernel_gradient(&block);
      p.sums += terms() * width;
      c += p.channels;
    }
  }

  /// The same, reading a copy of dy whose pixels follow each other, filled up with zeros to `width` channels.
  static KernelGradient with_packed_pixels(KernelGradient p, Index width, float* packed) {
    float* to = packed;
    for (Index image = 0; image < p.images; ++image)
      for (Index row = 0; row < p.rows; ++row)
        for (Index pixel = 0; pixel < p.pixels; ++pixel) {
          const float* from = p.dy + image * p.dy_image + row * p.dy_row + pixel * p.dy_pixel;
          to = std::fill_n(std::copy_n(from, p.channels, to), width - p.channels, 0.0f);
        }
    p.dy = packed;
    p.dy_image = p.rows * p.pixels * width;
    p.dy_row = p.pixels * width;
    p.dy_pixel = width;
    return p;
  }

  /// The sums of one group, [block][term][width of the block], added to their places in the kernel's gradient.
  void add_blocks(const float* sums, float* dkernel) const {
    for (Index c = 0; c < out_;) {
      const Index width = table().channel_block(out_ - c), count = std::min(width, out_ - c);
      for (Index term = 0; term < terms(); ++term, sums += width)
        for (Index o = 0; o < count; ++o) dkernel[term * g_.out_c + c + o] += sums[o];
      c += count;
    }
  }

  Conv2DGeometry g_;
  bool depthwise_;
  std::vector<Phase> heights_, widths_;
  Source<float> source_;
  Bands bands_;
  const float *x_, *dy_;
  Index in_, groups_, out_, row_, terms_;
  Scratch<Index> offsets_;
};

}  // namespace
}  // namespace direct

void conv2d_kernel_gradient(const Conv2DGeometry& geometry, const float* x, const float* dy, float* dkernel) {
  direct::KernelGradientPass(direct::flattened(geometry), x, dy).run(dkernel);
}

}  // namespace bitgrad::kernels
