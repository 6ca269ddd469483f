// Depthwise convolution of int16 codes: isa/depthwise.inc has the loops.
#pragma once

#include <vector>

#include <bitgrad/core/kernels/conv_pass.hpp>

namespace bitgrad::kernels::direct {

/// A forward pass with a group for every channel, its weights packed in pairs of taps; sums wrap around modulo 2^32.
class DepthwisePass {
 public:
  /// `kernel` HWIO, `start` [channels] or null, as forward_pass() has them.
  explicit DepthwisePass(const Pass<std::int16_t>& pass);
  /// To sums, or to codes by the rule of the pass.
  void run(Index batch, const std::int16_t* x, std::int32_t* y) const { run_images(batch, x, y, nullptr); }
  void run(Index batch, const std::int16_t* x, std::int16_t* y) const { run_images(batch, x, nullptr, y); }

 private:
  void pack_taps(const Pass<std::int16_t>& pass);
  void pack_channels(const Pass<std::int16_t>& pass);
  void run_images(Index batch, const std::int16_t* x, std::int32_t* sums, std::int16_t* codes) const;
  void run_band(Index band, const std::int16_t* from, std::int32_t* sums, std::int16_t* codes) const;

  const KernelTable& loops_;  // those that the weights are packed for
  Image image_, target_;
  Phase height_, width_;
  Index together_, channels_;  // pixels that the loops take as one, and its channels
  Source<std::int16_t> source_;
  Bands bands_;
  OutputCodes codes_;
  std::vector<Index> offsets_;
  std::vector<std::int16_t> weights_;
  std::vector<std::int32_t> start_;
  std::vector<float> multipliers_;
};

}  // namespace bitgrad::kernels::direct
