#include <bitgrad/core/kernels/depthwise_pass.hpp>

namespace bitgrad::kernels::direct {
namespace {

/// The channel that lies at place i of a block: halves of four in turn.
Index channel_at(Index i, Index block) {
  const Index half = block / 2;
  return i < half ? i / 4 * 8 + i % 4 : (i - half) / 4 * 8 + 4 + i % 4;
}

/// Channels up to the end of the last block, which reaches into the next pixel, with weights of zero.
Index filled_to_blocks(Index channels, Index block) { return chunk_count(channels, block) * block; }

/// How many neighbouring pixels fill a block as if they were one pixel of more channels: few channels would leave most
/// of it empty.
Index pixels_of_block(Index channels, const Phase& width, Index block) {
  Index pixels = width.source_step == 1 ? std::max<Index>(block / channels, 1) : 1;
  while (width.count % pixels != 0) --pixels;
  return pixels;
}

}  // namespace

DepthwisePass::DepthwisePass(const Pass<std::int16_t>& pass)
    : loops_(table()),
      image_(pass.source),
      target_(pass.target),
      height_(pass.heights.front()),
      width_(pass.widths.front()),
      together_(pixels_of_block(image_.channels, width_, loops_.depthwise_block)),
      channels_(together_ * image_.channels),
      source_(image_, seen(pass.heights, 0, height_.count), seen(pass.widths, 0, width_.count), image_.channels,
              filled_to_blocks(channels_, loops_.depthwise_block) - channels_),
      bands_(pass.heights, source_.row(), band_elements),
      codes_(pass.codes) {
  pack_taps(pass);
  pack_channels(pass);
}

void DepthwisePass::pack_taps(const Pass<std::int16_t>& pass) {
  std::vector<const std::int16_t*> kernels;
  for (const Tap& h : height_.taps)
    for (const Tap& w : width_.taps) {
      kernels.push_back(pass.kernel + (h.kernel * pass.layout.k_w + w.kernel) * pass.layout.tap);
      offsets_.push_back(h.shift * source_.row() + w.shift * source_.pixel());
    }
  if (kernels.size() % 2 != 0) {  // a second tap that counts nothing
    kernels.push_back(nullptr);
    offsets_.push_back(offsets_.back());
  }
  const Index block = loops_.depthwise_block;
  for (Index first = 0; first < channels_; first += block)
    for (std::size_t tap = 0; tap < kernels.size(); tap += 2)
      for (Index i = 0; i < block; ++i)
        for (const std::int16_t* kernel : {kernels[tap], kernels[tap + 1]}) {
          const Index channel = first + channel_at(i, block);
          weights_.push_back(kernel != nullptr && channel < channels_ ? kernel[channel % image_.channels]
                                                                      : std::int16_t{0});
        }
}

void DepthwisePass::pack_channels(const Pass<std::int16_t>& pass) {
  const Index block = loops_.depthwise_block;
  for (Index i = 0; i < filled_to_blocks(channels_, block); ++i) {
    const Index channel = i / block * block + channel_at(i % block, block);
    const bool real = channel < channels_;
    const Index of_pixel = channel % image_.channels;
    start_.push_back(real && pass.start != nullptr ? pass.start[of_pixel] : 0);
    multipliers_.push_back(real && codes_.multiplier != nullptr ? codes_.multiplier[of_pixel] : 0.0F);
  }
}

/// `from` is where pixel (0, 0) of the source lies, and sums or codes begin with that of the target.
void DepthwisePass::run_band(Index band, const std::int16_t* from, std::int32_t* sums, std::int16_t* codes) const {
  const Index row = bands_.begin(band), y_row = target_.width * target_.channels;
  DepthwiseConvolution p{.rows = bands_.end(band, height_) - row,
                         .pixels = width_.count / together_,
                         .channels = channels_,
                         .x = nullptr,
                         .x_row = height_.source_step * source_.row(),
                         .x_pixel = together_ * width_.source_step * source_.pixel(),
                         .tap_offset = offsets_.data(),
                         .pairs = static_cast<Index>(offsets_.size() / 2),
                         .weights = weights_.data(),
                         .start = start_.data(),
                         .y_row = y_row,
                         .y_pixel = channels_,
                         .sums = sums != nullptr ? sums + row * y_row : nullptr,
                         .codes = codes != nullptr ? codes + row * y_row : nullptr,
                         .multiplier = multipliers_.data(),
                         .lo = static_cast<float>(codes_.lo),
                         .hi = static_cast<float>(codes_.hi)};
  p.x = from + row * p.x_row;
  loops_.convolve_depthwise_codes(&p);
}

void DepthwisePass::run_images(Index batch, const std::int16_t* x, std::int32_t* sums, std::int16_t* codes) const {
  const Index band_work = bands_.rows() * width_.count * static_cast<Index>(offsets_.size()) * target_.channels;
  const Index grain = std::max<Index>(chunk_work / (4 * std::max<Index>(band_work, 1)), 1);  // slower than dense ones
  parallel_for(batch * bands_.count(), grain, [&](Index begin, Index end) {
    const Scratch<std::int16_t> scratch(source_.scratch(bands_.source_rows()));
    const bool cleared = bands_.count() == 1 && source_.clears(end - begin);
    if (cleared) source_.clear(bands_.source_rows(), scratch.data());
    for (Index i = begin; i < end; ++i) {
      const Index n = i / bands_.count(), band = i % bands_.count(), place = n * target_.size();
      run_band(band, source_.band(x, n, bands_.source(band), scratch.data(), cleared),
               sums != nullptr ? sums + place : nullptr, codes != nullptr ? codes + place : nullptr);
    }
  });
}

}  // namespace bitgrad::kernels::direct
