// Exact integer arithmetic on codes: the products and sums of the integer engine.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include <bitgrad/core/kernels/code_addition.hpp>
#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad::kernels {

/// y = int32(q) - zero_point. Code is int32, int16, uint8 or int8.
template <class Code>
void subtract_zero_point(Index n, const Code* q, std::int32_t zero_point, std::int32_t* y);

/// acc = bias + x convolved with the HWIO kernel, all int32. x holds codes with the zero point taken off, so that
/// padding is zero; bias, [out_c], may be null. Exact as long as no sum leaves int32 (proving that is the caller's
/// part: the certificate of a layer); beyond that sums wrap around modulo 2^32.
void conv2d_codes_int32(const Conv2DGeometry& geometry, const std::int32_t* x, const std::int32_t* kernel,
                        const std::int32_t* bias, std::int32_t* acc);

/// acc[row, :] = bias + x[row, :] * weights for weights (in, out), likewise.
void dense_codes_int32(Index rows, Index in, Index out, const std::int32_t* x, const std::int32_t* weights,
                       const std::int32_t* bias, std::int32_t* acc);

/// How accumulators become codes with the zero point taken off: clamp(half_even(float(acc) * multiplier[c]), lo, hi),
/// as Requantization below.
struct CentredCodes {
  const float* multiplier;      ///< one per channel
  std::int32_t lo = 0, hi = 0;  ///< bounds minus the zero point, both within int16
};

/// The least and the largest element of x, zero between them: with no more than 256 and weights that fit int8 there
/// are products of bytes, where the instruction set has them. Other elements than that give wrong sums.
struct CodeRange {
  std::int32_t lo = std::numeric_limits<std::int16_t>::min(), hi = std::numeric_limits<std::int16_t>::max();
};

/// A convolution of int16 codes with the zero point taken off, its weights packed once: sums as conv2d_codes_int32()
/// has them. No product of -32768 with itself.
class Int16Conv2D {
 public:
  /// The batch of the geometry does not matter. `kernel` is HWIO; `bias`, [out_c], may be null.
  Int16Conv2D(const Conv2DGeometry& geometry, const std::int16_t* kernel, const std::int32_t* bias,
              const CodeRange& x = {});
  /// One whose accumulators become codes on the way out. ValueError for bounds that do not fit int16.
  Int16Conv2D(const Conv2DGeometry& geometry, const std::int16_t* kernel, const std::int32_t* bias,
              const CentredCodes& codes, const CodeRange& x = {});
  /// x [batch, in_h, in_w, in_c] to acc [batch, out_h, out_w, out_c].
  void run(Index batch, const std::int16_t* x, std::int32_t* acc) const;
  /// The same to codes; StateError where it was made without a rule for them.
  void run(Index batch, const std::int16_t* x, std::int16_t* codes) const;

 private:
  struct Packed;
  std::shared_ptr<const Packed> packed_;
};

/// The same for a dense layer.
class Int16Dense {
 public:
  /// `weights` [in, out]; `bias`, [out], may be null. With a rule for codes ValueError as for Int16Conv2D.
  Int16Dense(Index in, Index out, const std::int16_t* weights, const std::int32_t* bias, const CodeRange& x = {});
  Int16Dense(Index in, Index out, const std::int16_t* weights, const std::int32_t* bias, const CentredCodes& codes,
             const CodeRange& x = {});
  /// x [rows, in] to acc [rows, out].
  void run(Index rows, const std::int16_t* x, std::int32_t* acc) const;
  /// The same to codes; StateError where it was made without a rule for them.
  void run(Index rows, const std::int16_t* x, std::int16_t* codes) const;

 private:
  struct Packed;
  std::shared_ptr<const Packed> packed_;
};

/// A convolution as conv2d_codes_int32(), its weights packed once.
class Int32Conv2D {
 public:
  /// The batch of the geometry does not matter. `bias` may be null.
  Int32Conv2D(const Conv2DGeometry& geometry, const std::int32_t* kernel, const std::int32_t* bias);
  /// x [batch, in_h, in_w, in_c] to acc [batch, out_h, out_w, out_c].
  void run(Index batch, const std::int32_t* x, std::int32_t* acc) const;

 private:
  struct Packed;
  std::shared_ptr<const Packed> packed_;
};

/// Sums of two codes by the rule; y may be a or b.
void add_codes(Index n, const std::int16_t* a, const std::int16_t* b, const CodeAddition& rule, std::int16_t* y);

/// Largest code of every window; padding never wins.
void max_pool2d_codes(const Pool2DGeometry& geometry, const std::int16_t* x, std::int16_t* y);

/// Sums [batch, channels] over the pixels of x [batch, pixels, channels]; exact below 2^31.
void sum_pixels(Index batch, Index pixels, Index channels, const std::int16_t* x, std::int32_t* sums);

/// How accumulators become codes: clamp(half_even(float(acc) * multiplier[c]) + zero_point, lo, hi), the conversion and
/// the product each rounded to float32: the rule of ONNX Runtime's fused QLinearConv.
struct Requantization {
  const float* multiplier;  ///< one per channel
  std::int32_t zero_point = 0;
  std::int32_t lo = 0;
  std::int32_t hi = 255;
};

/// Accumulators of [rows, channels], int32 or whole numbers carried in float32, to codes of int32, int16, uint8 or
/// int8. Throws ValueError when lo or hi does not fit Code, or bounds or zero point exceed 2^20.
template <class Accumulator, class Code>
void requantize(Index rows, Index channels, const Accumulator* acc, const Requantization& rule, Code* q);

}  // namespace bitgrad::kernels
