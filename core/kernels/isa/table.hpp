// The table of hot loops: one instance per instruction set, compiled from the same source (kernels.inc). Functions get
// raw pointers and work on one chunk in one thread; headers such as elementwise.hpp wrap them for everybody else. Only
// plain data and no inline functions here: an inline function compiled for AVX-512 could replace its baseline twin at
// link time.
#pragma once

#include <cstdint>

#include <bitgrad/core/kernels/clamp.hpp>
#include <bitgrad/core/kernels/code_addition.hpp>
#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/optimizer_step.hpp>

namespace bitgrad::kernels {

/// Arguments of fake_quantize_gradient: n elements in rows of `width`; scale, offset and bounds are rows, offset may be
/// null.
template <class T>
struct FakeQuantizeGradient {
  Index n, width;
  const T* x;
  const T* scale;
  const T* offset;
  const T* lo;
  const T* hi;
  bool masked;
  bool by_value;  ///< the mask looks at the unrounded level
  const T* dy;
  T* dx;                ///< or null
  bool add;             ///< to dx, instead of overwriting it
  double* scale_sums;   ///< a row, +=
  double* offset_sums;  ///< a row, +=, or null; not null only when masked
};

/// Arguments of epilogue and epilogue_gradient: n elements in rows of `width` go through v = (x - mean) * factor +
/// beta, then the clamp, then the grid s * clamp(half_even((v - offset) / s), lo, hi) + offset; each of the three may
/// be left out.
struct Epilogue {
  Index n, width;
  const float* x;
  const float* mean;  ///< rows; null: no normalization
  const float* factor;
  const float* beta;
  Clamp clamp;
  bool on_grid, has_offset;
  float scale, offset, lo, hi;
};

/// The gradient of what comes behind the normalization: overwrites dv, adds to the sums, rows of `width` that may be
/// null where there is no normalization (sums of dv and of dv * (x - mean)), no grid, or nothing outside of its bounds
/// to add up.
struct EpilogueGradient {
  Epilogue forward;
  const float* dy;
  float* dv;
  bool masked, by_value;  ///< see FakeQuantizeGradient
  double* scale_sums;
  double* offset_sums;
  double* sums;
  double* products;
};

/// What an input element of a convolution meets.
enum class Products {
  dense,      ///< the weights of all output channels
  depthwise,  ///< the weight of one channel: every output channel has an input channel of its own
  pairs,      ///< dense; two int16 side by side meet two int16 weights, whose products are summed in int32
  quads,      ///< dense; four uint8 side by side meet four int8 weights; only where KernelTable::has_quads
};

/// Arguments of convolve: a grid of `rows` x `pixels` output pixels of `channels` channels. Output (row, pixel, c) is
/// start[c] plus the sum over all runs and all i in [0, run_length) of
///   x[row * x_row + pixel * x_pixel + run_offset[run] + i] * weight(run, i, c),
/// written to y[row * y_row + pixel * y_pixel + c]. Where products meet in pairs or quads, i counts these: elements 2i
/// and 2i + 1, or 4i to 4i + 3, with a word of so many weights. Distances count elements. The run reads row source_row
/// + row * source_step + run_row[run] of a source of `source_rows` rows; outside of these it counts as zero and is not
/// read. run_row never decreases. When depthwise, run_length is 1 and every output channel has an input channel of its
/// own: x[... + run_offset[run] + c], filled up to the end of the last block.
template <class T>
struct DirectConvolution {
  Index rows, pixels, channels;
  const void* x;  ///< T; int16 in pairs, uint8 in quads
  Index x_row, x_pixel;
  const Index* run_offset;
  const Index* run_row;
  Index source_row, source_step, source_rows;
  Index runs, run_length;
  const T* weights;  ///< [block of channels][run][i][width of the block], the blocks' widths from channel_block()
  const T* start;    ///< [channels], filled up to the end of the last block
  T* y;
  Index y_row, y_pixel;
  bool add;  ///< to what y holds, instead of overwriting it
  Products products;
  // Integers only: where codes is not null they become clamp(half_even(float(sum) * multiplier[c]), lo, hi), written to
  // codes as they would have been to y.
  std::int16_t* codes = nullptr;
  const float* multiplier = nullptr;  ///< [channels], filled up like start
  float lo = 0, hi = 0;               ///< whole numbers that fit int16
};

/// Arguments of convolve_depthwise_codes: as DirectConvolution, every output channel with the input channel of its
/// number, for int16 codes. Blocks are of depthwise_block channels; within one, start, multiplier and the weights of a
/// pair come in the order of the vectors' halves: channels 0-3, 8-11, ... and then 4-7, 12-15, ...
struct DepthwiseConvolution {
  Index rows, pixels, channels;
  const std::int16_t* x;  ///< read up to the end of the last block, whose weights are zero behind the last channel
  Index x_row, x_pixel;
  const Index* tap_offset;  ///< two per pair
  Index pairs;
  const std::int16_t* weights;  ///< [block][pair][channel of the block][tap of the pair]
  const std::int32_t* start;
  Index y_row, y_pixel;
  std::int32_t* sums;   ///< where codes is null
  std::int16_t* codes;  ///< see DirectConvolution
  const float* multiplier;
  float lo, hi;
};

/// Arguments of kernel_gradient: sums[block][term][c] += sum over images, rows and pixels of
///   x[image * x_image + row * x_row + pixel * x_pixel + offset[term]] * dy[image * dy_image + row * dy_row + pixel *
///   dy_pixel + c].
/// When depthwise, x[... + offset[term] + c], filled up like dy.
struct KernelGradient {
  Index images, rows, pixels, channels;
  const float* x;
  Index x_image, x_row, x_pixel;
  const Index* offset;
  Index terms, run_length;  ///< offsets grow by one within each run of run_length terms
  const float* dy;          ///< its pixels are filled up to the end of the last block
  Index dy_image, dy_row, dy_pixel;
  float* sums;        ///< [block of channels][term][width of the block]
  Products products;  ///< dense or depthwise
};

/// Between which two pixels of a row a pixel of a larger row lies, and the share of the second.
template <class T>
struct PixelTap {
  Index low, high;
  T share;
};

/// Loops over float or double. "Rows" are flat ranges of n elements against parameter rows of `width` elements that
/// repeat.
template <class T>
struct FloatingKernels {
  using Binary = void (*)(Index n, const T* a, const T* b, T* y);
  using BinaryRow = void (*)(Index n, Index width, const T* x, const T* row, T* y);
  using Unary = void (*)(Index n, const T* x, T* y);

  Binary add, subtract, multiply, divide;
  BinaryRow add_row, subtract_row, multiply_row, divide_row;
  void (*scale)(Index n, T factor, const T* x, T* y);
  BinaryRow add_product_row;  // y += x * row

  Unary relu, absolute, square_root, exponential, sigmoid;
  Unary hyperbolic_tangent, gelu, hard_sigmoid, hard_swish;
  void (*leaky_relu)(Index n, T slope, const T* x, T* y);
  void (*power)(Index n, double exponent, const T* x, T* y);
  void (*choose)(Index n, const T* mask, const T* a, const T* b, T* y);
  /// Of `rows` rows of `width` elements; log_of is a library's logarithm, needed once per row.
  void (*log_softmax)(Index rows, Index width, const T* x, T* y, double (*log_of)(double));
  void (*clip)(Index n, T lo, T hi, const T* x, T* y);
  // Gradients from the operand or, of sqrt, exp, sigmoid and tanh, from the result. Added only where asked to.
  using Gradient = void (*)(Index n, bool add, const T* x, const T* dy, T* dx);
  Gradient relu_gradient, relu6_gradient, absolute_gradient;
  Gradient square_root_gradient, exponential_gradient, logarithm_gradient, sigmoid_gradient;
  Gradient hyperbolic_tangent_gradient, gelu_gradient, hard_sigmoid_gradient, hard_swish_gradient;
  void (*leaky_relu_gradient)(Index n, T slope, bool add, const T* x, const T* dy, T* dx);
  void (*power_gradient)(Index n, double exponent, bool add, const T* x, const T* dy, T* dx);
  Gradient chosen_gradient, rejected_gradient;  // x is the mask
  void (*clip_gradient)(Index n, T lo, T hi, bool add, const T* x, const T* dy, T* dx);

  void (*column_sum)(Index n, Index width, const T* x, double* sums);
  void (*column_sum_product)(Index n, Index width, const T* a, const T* b, double* sums);

  void (*moment_sums)(Index n, Index width, const T* x, const T* shift, double* sums, double* squares);
  void (*normalize)(Index n, Index width, const T* x, const T* mean, const T* factor, const T* beta, T* y);
  void (*normalize_gradient_sums)(Index n, Index width, const T* x, const T* mean, const T* dy, double* sums,
                                  double* products);
  void (*normalize_gradient)(Index n, Index width, bool add, const T* x, const T* mean, const T* factor,
                             const T* mean_dy, const T* slope, const T* dy, T* dx);

  // Layer normalization of whole rows: layer_norm.hpp says what each computes.
  void (*layer_norm)(Index rows, Index width, double epsilon, const T* x, const T* gamma, const T* beta, T* y, T* means,
                     T* factors);
  void (*layer_norm_gradient)(Index rows, Index width, bool add, const T* x, const T* means, const T* factors,
                              const T* gamma, const T* dy, T* dx);
  void (*layer_norm_products)(Index rows, Index width, const T* x, const T* means, const T* factors, const T* dy, T* y);

  // Upsampling, a row at a time: pixels counts those of the smaller row where they are repeated, of the larger one
  // where they are blended.
  void (*repeat_pixels)(Index pixels, Index channels, Index times, const T* x, T* y);
  void (*add_repeated_pixels)(Index pixels, Index channels, Index times, const T* dy, T* sums);
  void (*blend_pixels)(Index pixels, Index channels, const PixelTap<T>* taps, T share, const T* upper, const T* lower,
                       T* y);
  void (*add_blended_pixels)(Index pixels, Index channels, const PixelTap<T>* taps, T share, const T* dy, T* sums);

  void (*sgd_update)(Index n, const SgdStep*, const T* gradient, T* velocity, T* parameter);
  void (*adam_update)(Index n, const AdamStep*, const T* gradient, T* first, T* second, T* parameter);
  void (*rmsprop_update)(Index n, const RmspropStep*, const T* gradient, T* second, T* velocity, T* parameter);
  void (*average_update)(Index n, double share, const T* x, T* average);

  void (*fake_quantize)(Index n, Index width, const T* x, const T* s, const T* a, const T* lo, const T* hi, T* y);
  void (*fake_quantize_gradient)(const FakeQuantizeGradient<T>*);
};

/// Loops that write or read integer codes of one type.
template <class Code>
struct CodeKernels {
  bool (*quantize)(Index n, Index width, const float* x, const float* s, const float* lo, const float* hi,
                   const std::int32_t* z, Code* q);
  void (*to_values)(Index n, Index width, const Code* q, const float* s, const std::int32_t* z, float* y);
  void (*requantize_int32)(Index n, Index width, const std::int32_t* acc, const float* m, float lo, float hi,
                           std::int32_t z, Code* q);
  void (*requantize_float)(Index n, Index width, const float* acc, const float* m, float lo, float hi, std::int32_t z,
                           Code* q);
  void (*subtract_zero_point)(Index n, const Code* q, std::int32_t z, std::int32_t* y);
};

struct KernelTable {
  FloatingKernels<float> float32;
  FloatingKernels<double> float64;
  CodeKernels<std::int32_t> int32;
  CodeKernels<std::uint8_t> uint8;
  CodeKernels<std::int8_t> int8;
  CodeKernels<std::int16_t> int16;
  void (*quantize_to_values)(Index n, Index width, const float* x, const float* inverse, const float* s,
                             const float* lo, const float* hi, float* y);

  void (*epilogue)(const Epilogue*, float* y);
  void (*epilogue_gradient)(const EpilogueGradient*);

  // Pooling: output rows [row_begin, row_end) counted through the batch, row = image * out_h + oh.
  void (*max_pool2d_forward)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* x, float* y,
                             std::int32_t* argmax);
  void (*max_pool2d_gradient)(const Pool2DGeometry*, Index row_begin, Index row_end, const std::int32_t* argmax,
                              const float* dy, float* dx);
  void (*average_pool2d_forward)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* x, float* y);
  void (*average_pool2d_gradient)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* dy, float* dx);

  void (*repeat_pixels_int32)(Index pixels, Index channels, Index times, const std::int32_t* x, std::int32_t* y);

  /// Direct convolution: the number of channels that the next block takes when `channels` are left.
  Index (*channel_block)(Index channels);
  void (*convolve_float)(const DirectConvolution<float>*);
  void (*convolve_int32)(const DirectConvolution<std::int32_t>*);
  void (*kernel_gradient)(const KernelGradient*);
  bool has_quads;  ///< whether convolve_int32 knows Products::quads

  // Codes as int16, their zero points taken off.
  Index depthwise_block;
  void (*convolve_depthwise_codes)(const DepthwiseConvolution*);
  void (*codes_to_bytes)(Index n, const std::int16_t* codes, std::int32_t lowest, std::uint8_t* bytes);
  void (*add_codes)(const CodeAddition*, Index n, const std::int16_t* a, const std::int16_t* b, std::int16_t* y);
  /// Output rows as above; `columns` has room for a row of the input.
  void (*max_pool_codes)(const Pool2DGeometry*, Index row_begin, Index row_end, const std::int16_t* x, std::int16_t* y,
                         std::int16_t* columns);
  /// sums[c] += x[row * width + c] over all rows.
  void (*sum_codes)(Index rows, Index width, const std::int16_t* x, std::int32_t* sums);

  // Matrix products c += a * b, c (m, n), a (m, k), b (k, n), all dense; each element adds its products in the order of
  // k.
  void (*matmul_float)(Index m, Index n, Index k, const float* a, const float* b, float* c);
  void (*matmul_int32)(Index m, Index n, Index k, const std::int32_t* a, const std::int32_t* b, std::int32_t* c);
};

extern const KernelTable base_kernels;
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;

/// What VNNI does better than the table of AVX-512.
struct VnniProducts {
  void (*convolve_int32)(const DirectConvolution<std::int32_t>*);
  void (*convolve_depthwise_codes)(const DepthwiseConvolution*);
};
extern const VnniProducts avx512_vnni_products;

/// The table of active_isa().
const KernelTable& table();

}  // namespace bitgrad::kernels
