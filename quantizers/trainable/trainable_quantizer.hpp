// The base to derive a trainable quantizer from.
#pragma once

#include <concepts>
#include <type_traits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable.hpp>
#include <bitgrad/quantizers/type_name.hpp>

namespace bitgrad {
namespace detail {

/// Whether the mark of Q has that mistake; false for a class without mark, which is told so in another sentence.
template <class Q>
consteval bool mistaken(MarkMistake mistake) {
  if constexpr (HasMark<Q>) return Q::mark.mistake == mistake;
  return false;
}

/// One message per class, however many places ask.
template <class Q>
struct RequireMark {
  static_assert(
      HasMark<Q>,
      "this quantizer class has no mark; give it a public member `static constexpr bitgrad::QuantizerMark mark = "
      "bitgrad::mark_quantizer(target, {methods}, \"identifier\");`");
  static_assert(!mistaken<Q>(MarkMistake::no_method),
                "the mark of this quantizer class names no QuantizationMethod, expected at least one");
  static_assert(!mistaken<Q>(MarkMistake::method_twice),
                "the mark of this quantizer class names a QuantizationMethod twice, expected each at most once");
  static_assert(
      !mistaken<Q>(MarkMistake::identifier),
      "the mark of this quantizer class has an identifier that the command line cannot take; expected lower-case "
      "letters, digits and -_. , and not \"none\"");
};

/// The config that goes with a marked class's target.
template <class Q>
using ConfigOfTarget = std::conditional_t<Q::mark.target == QuantizationTarget::Weights,
                                          TrainableQuantizerWeightsConfig, TrainableQuantizerActivationConfig>;

template <class Q, class Config>
struct RequireConfigOfTarget {
  static_assert(
      std::same_as<Config, ConfigOfTarget<Q>>,
      "the mark's target and the config type contradict each other: TrainableQuantizerWeightsConfig goes with "
      "QuantizationTarget::Weights, TrainableQuantizerActivationConfig with QuantizationTarget::Activation");
};

/// Throws ValueError unless the mark serves the config's method and 1 <= n_bits <= 16.
void check_config(const BaseQuantizerConfig& config, const QuantizerMark& mark, std::string_view class_name);

}  // namespace detail

/// `class Mine : public TrainableQuantizer<Mine, TrainableQuantizerWeightsConfig>` supplies marks(), config(), clone()
/// and the checks of the configuration. Mine declares its mark publicly and has a copy constructor (the implicit one
/// will do).
template <class Derived, std::derived_from<BaseQuantizerConfig> Config>
class TrainableQuantizer : public BaseTrainableQuantizer {
 public:
  using ConfigType = Config;

  /// Public, so that `using TrainableQuantizer::TrainableQuantizer;` is all a class without state of its own needs.
  /// Throws ValueError naming the class for a method that its mark does not list, or bits outside of 1..16.
  explicit TrainableQuantizer(const Config& config, bool freeze_quant_params = false)
      : BaseTrainableQuantizer(freeze_quant_params), config_(config) {
    if constexpr (MarkedQuantizer<Derived>) {
      static_cast<void>(sizeof(detail::RequireConfigOfTarget<Derived, Config>));
      detail::check_config(config_, Derived::mark, type_name<Derived>());
    }
  }

  const QuantizerMark& marks() const override {
    if constexpr (MarkedQuantizer<Derived>) {
      return Derived::mark;
    } else {
      static constexpr QuantizerMark none{};  // never reached: the next line does not compile
      static_cast<void>(sizeof(detail::RequireMark<Derived>));
      return none;
    }
  }
  const Config& config() const override { return config_; }
  std::unique_ptr<BaseTrainableQuantizer> clone() const override {
    if constexpr (std::is_abstract_v<Derived>)
      fail<NotImplementedError>(type_name<Derived>(), " cannot be copied: it is abstract");
    else
      return std::unique_ptr<BaseTrainableQuantizer>(new Derived(static_cast<const Derived&>(*this)));
  }

 private:
  Config config_;
};

}  // namespace bitgrad
