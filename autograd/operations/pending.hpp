// Elementwise steps that wait for each other, so that one pass over memory takes them all.
#pragma once

#include <optional>
#include <string>

#include <bitgrad/autograd/operations/normalization.hpp>
#include <bitgrad/core/kernels/clamp.hpp>

namespace bitgrad {

/// A value whose last steps are still to be taken: a batch normalisation, then a clamp, or one of them. Reading and
/// writing a tensor costs more than the few operations in between, so batch_norm, relu and fake_quantize one after the
/// other cost three times what they cost together. What they give together is defined by the three: definition().
class Pending {
 public:
  struct Normalization {
    BatchStatistics statistics;
    Variable gamma, beta;
    double epsilon;
  };

  /// Nothing to be done. Implicit: whatever takes a pending value takes any.
  Pending(Variable source) : source_(std::move(source)) {}  // NOLINT(google-explicit-constructor)

  const Shape& shape() const { return source_.shape(); }
  DType dtype() const { return source_.dtype(); }

  /// Takes the steps, under the name "batch_norm+relu" and in the tape's scope where the last one was added. In float32
  /// one operation; the same bits as definition() in values and the gradient of x, see kernels/epilogue.hpp for sums.
  Variable value() const;
  /// The same by the operations that users know, one after the other.
  Variable definition() const;

  /// Each returns this value with one more step. One that cannot stand behind those there are lets them be taken first.
  /// Arguments as those of batch_norm(); the statistics are those of value().
  Pending batch_norm(BatchStatistics statistics, Variable gamma, Variable beta, double epsilon) const;
  Pending relu() const { return clamped(kernels::Clamp::relu); }
  Pending relu6() const { return clamped(kernels::Clamp::relu6); }

  // What an operation that takes the steps along needs to know.
  const Variable& source() const { return source_; }
  const std::optional<Normalization>& normalization() const { return normalization_; }
  kernels::Clamp clamp() const { return clamp_; }
  bool nothing_to_do() const { return !normalization_ && clamp_ == kernels::Clamp::none; }
  /// "batch_norm+relu"; empty when there is nothing to do.
  std::string name() const;

 private:
  Pending clamped(kernels::Clamp clamp) const;

  Variable source_;
  std::optional<Normalization> normalization_;
  kernels::Clamp clamp_ = kernels::Clamp::none;
  std::string scope_;  // of the tape, where the last step was added
};

}  // namespace bitgrad
