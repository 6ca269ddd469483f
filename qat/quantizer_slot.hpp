// A quantizer at its place in a model: trainable while it learns, inferable once converted.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include <bitgrad/quantizers/inferable.hpp>
#include <bitgrad/quantizers/trainable.hpp>

namespace bitgrad {

/// Holds either kind; a copy has its own variables.
class QuantizerSlot {
 public:
  /// ValueError for a null pointer. Implicit: a slot stands wherever a quantizer is expected.
  QuantizerSlot(TrainablePtr quantizer);                                   // NOLINT(google-explicit-constructor)
  QuantizerSlot(InferablePtr quantizer);                                   // NOLINT(google-explicit-constructor)
  QuantizerSlot(std::shared_ptr<const BaseInferableQuantizer> quantizer);  // NOLINT(google-explicit-constructor)
  QuantizerSlot(const QuantizerSlot& other);
  QuantizerSlot& operator=(const QuantizerSlot& other);
  QuantizerSlot(QuantizerSlot&&) = default;
  QuantizerSlot& operator=(QuantizerSlot&&) = default;

  /// The mark of the quantizer's class.
  const QuantizerMark& marks() const;
  bool is_trainable() const { return std::holds_alternative<TrainablePtr>(quantizer_); }
  /// The trainable quantizer, or nullptr after conversion.
  BaseTrainableQuantizer* trainable() const;

  /// Creates the variables of a trainable quantizer (once; later calls and inferable quantizers do nothing). Throws as
  /// initialize_quantization().
  void initialize(const std::optional<Shape>& shape, std::string_view name);
  /// Quantizes. An inferable quantizer's result is a constant: no gradient flows through it.
  Variable operator()(const Pending& x, bool training) const;
  /// The frozen quantizer: the one held, or the current conversion of the trainable one. ValueError naming the
  /// quantizer when it converts to nothing, or to a quantizer of the other target.
  std::shared_ptr<const BaseInferableQuantizer> inferable() const;
  /// Replaces a trainable quantizer by its conversion; nothing happens the second time. ValueError as inferable().
  void convert();

  /// The variables of a trainable quantizer; none of an inferable one.
  std::vector<ParameterPtr> parameters() const;

 private:
  std::variant<TrainablePtr, std::shared_ptr<const BaseInferableQuantizer>> quantizer_;
};

}  // namespace bitgrad
