// The small network of an end-to-end case.
#pragma once

#include <optional>

#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/golden/detail/layout.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/golden/manifest.hpp>

namespace bitgrad::golden::detail {

/// Holder, wrapped layer, holder, with the weights of the case.
class ReferenceNet {
 public:
  /// The case must outlive the net.
  explicit ReferenceNet(const EndToEndCase& c);

  /// In bitgrad's layout, as activations() translates.
  Variable forward(const Variable& x, bool training);
  const Layout& activations() const { return activations_; }
  const Layout& weights() const { return weights_; }

  /// The parameter that the reference calls so; a Difference when there is none.
  ParameterPtr parameter(const std::string& name) const;
  /// Everything trainable, the float weights included.
  std::vector<NamedParameter> parameters() const;

  const QuantizerSlot& weight_quantizer() const { return *wrapper_->dispatcher().weight_quantizer("kernel"); }
  const std::optional<ActivationQuantizationHolder>& input_holder() const { return input_holder_; }
  const std::optional<ActivationQuantizationHolder>& output_holder() const { return output_holder_; }

  /// Every quantizer becomes its inferable form.
  void convert();
  void set_weight_quantizer(QuantizerSlot quantizer);
  void set_input_quantizer(QuantizerSlot quantizer) { input_holder_.emplace(std::move(quantizer)); }
  void set_output_quantizer(QuantizerSlot quantizer) { output_holder_.emplace(std::move(quantizer)); }

 private:
  void build();

  const EndToEndCase& case_;
  Layout activations_, weights_;
  std::optional<QuantizationWrapper> wrapper_;
  std::optional<ActivationQuantizationHolder> input_holder_, output_holder_;
};

}  // namespace bitgrad::golden::detail
