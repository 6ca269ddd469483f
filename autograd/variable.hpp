// A value and its position on a tape.
#pragma once

#include <cstdint>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

class Tape;

/// What operations take and return. A Variable made from a Tensor is a constant: no gradient flows into it. One made by
/// an operation under a tape knows its place there. Copies share the value.
class Variable {
 public:
  Variable() = default;
  /// A constant. Implicit, so that tensors can be operands.
  Variable(Tensor value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  DType dtype() const { return value_.dtype(); }
  bool defined() const { return value_.defined(); }

  /// True when some tape recorded how this value came about, so that gradients can flow through it.
  bool recorded() const { return node_ >= 0; }
  /// The same value as a constant: gradients stop here.
  Variable detach() const { return Variable(value_); }

 private:
  friend class Tape;
  Variable(Tensor value, std::uint64_t tape, std::int32_t node) : value_(std::move(value)), tape_(tape), node_(node) {}

  Tensor value_;
  std::uint64_t tape_ = 0;  // serial number of the tape
  std::int32_t node_ = -1;
};

}  // namespace bitgrad
