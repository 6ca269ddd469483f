// Registration of quantizer classes: one call each, checked at compile time.
#pragma once

#include <type_traits>

#include <bitgrad/quantizers/registry.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>
#include <bitgrad/quantizers/type_name.hpp>

namespace bitgrad {
namespace detail {

template <class Q, class Config>
concept FreezableQuantizer = std::constructible_from<Q, const Config&, bool>;

/// Builds Q; refuses freeze_quant_params for a class that has no such option.
template <class Q, class Config>
TrainablePtr make_quantizer(const Config& config, bool freeze_quant_params) {
  if constexpr (FreezableQuantizer<Q, Config>) {
    return std::make_unique<Q>(config, freeze_quant_params);
  } else {
    if (freeze_quant_params) fail<ValueError>(type_name<Q>(), " has no option freeze_quant_params");
    return std::make_unique<Q>(config);
  }
}

template <class Q>
concept StartsFromWeights = requires(const Tensor& weight, const TrainableQuantizerWeightsConfig& config) {
  { Q::start_from(weight, config) } -> std::same_as<QuantizationParams>;
};

template <class Q>
TrainableEntry trainable_entry() {
  using Weights = TrainableQuantizerWeightsConfig;
  using Activation = TrainableQuantizerActivationConfig;
  if constexpr (Q::mark.target == QuantizationTarget::Activation)
    return {type_name<Q>(), Q::mark, nullptr, &make_quantizer<Q, Activation>};
  else if constexpr (StartsFromWeights<Q>)
    return {type_name<Q>(), Q::mark, &make_quantizer<Q, Weights>, nullptr, &Q::start_from};
  else
    return {type_name<Q>(), Q::mark, &make_quantizer<Q, Weights>, nullptr};
}

/// Derived from TrainableQuantizer with the config of its mark's target.
template <class Q>
concept AgreesWithItsMark = !requires {
  typename Q::ConfigType;
}
|| requires { requires std::same_as<typename Q::ConfigType, ConfigOfTarget<Q>>; };

template <class Q>
concept ReadsJson = requires(std::string_view json) {
  { Q::from_json(json) } -> std::same_as<InferablePtr>;
};

/// Registers one class, which may not compile.
template <class Q>
void register_one() {
  if constexpr (!MarkedQuantizer<Q>) {
    static_cast<void>(sizeof(RequireMark<Q>));
  } else if constexpr (std::derived_from<Q, BaseTrainableQuantizer> && !AgreesWithItsMark<Q>) {
    static_cast<void>(sizeof(RequireConfigOfTarget<Q, typename Q::ConfigType>));
  } else if constexpr (std::derived_from<Q, BaseTrainableQuantizer>) {
    static_assert(Q::mark.identifier != inferable_identifier,
                  "register_quantizer<Q>(): the identifier \"inferable\" belongs to inferable quantizers; give this "
                  "trainable one a name of its own");
    static_assert(!std::is_abstract_v<Q>,
                  "register_quantizer<Q>(): Q must override initialize_quantization(), operator() and "
                  "convert2inferable()");
    if constexpr (!std::is_abstract_v<Q>) {
      constexpr bool constructible = std::constructible_from<Q, const ConfigOfTarget<Q>&>;
      static_assert(constructible,
                    "register_quantizer<Q>(): Q needs a constructor that takes const "
                    "TrainableQuantizerWeightsConfig& (target Weights) or const "
                    "TrainableQuantizerActivationConfig& (target Activation) alone");
      if constexpr (constructible) register_entry(trainable_entry<Q>());
    }
  } else {
    constexpr bool inferable = std::derived_from<Q, BaseInferableQuantizer> && ReadsJson<Q>;
    static_assert(inferable,
                  "register_quantizer<Q>(): Q must derive from BaseTrainableQuantizer, or from "
                  "BaseInferableQuantizer and have static InferablePtr from_json(std::string_view)");
    if constexpr (inferable) {
      static_assert(Q::mark.identifier == inferable_identifier,
                    "register_quantizer<Q>(): the mark of an inferable quantizer has the identifier "
                    "bitgrad::inferable_identifier");
      register_entry(InferableEntry{type_name<Q>(), Q::mark, &Q::from_json});
    }
  }
}

}  // namespace detail

/// Makes quantizer classes known to look-ups, configuration by name and, if inferable, to inferable_from_json():
/// `register_quantizer<MineForWeights, MineForActivations>()`. A trainable class needs its mark, a constructor from the
/// config of its target (and, if it can be frozen, a bool behind it) and convert2inferable(); an inferable one its mark
/// and `static InferablePtr from_json(std::string_view)`. A class of weights may have `static QuantizationParams
/// start_from(const Tensor& weight, const TrainableQuantizerWeightsConfig&)`, its own start in place of a calibrated
/// one. What is missing is said at compile time. Throws ValueError when a class of that name is already registered.
template <class... Q>
void register_quantizer() {
  static_assert(sizeof...(Q) > 0, "register_quantizer<Q>(): name a quantizer class");
  (detail::register_one<Q>(), ...);
}

/// The same for a class template over the configuration, for weights and for activations: `register_quantizer<Mine>()`.
template <template <class Config> class Q>
void register_quantizer() {
  register_quantizer<Q<TrainableQuantizerWeightsConfig>, Q<TrainableQuantizerActivationConfig>>();
}

}  // namespace bitgrad
