// What a quantizer class says of itself at compile time.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace bitgrad {

/// What is quantized. The names are the reference system's.
enum class QuantizationTarget { Activation, Weights };

/// How the grid is described; the values are the reference system's.
enum class QuantizationMethod { POWER_OF_TWO = 0, LUT_POT_QUANTIZER = 1, SYMMETRIC = 2, UNIFORM = 3, LUT_SYM_QUANTIZER = 4 };

std::string_view name_of(QuantizationTarget target);
std::string_view name_of(QuantizationMethod method);
/// From the enumerator's name ("SYMMETRIC") or the short one ("pot", "symmetric", "uniform", "lut-pot", "lut-symmetric");
/// ValueError with the nearest otherwise.
QuantizationMethod parse_method(std::string_view name);

/// Identifier of every inferable quantizer.
inline constexpr std::string_view inferable_identifier = "inferable";

/// Target, methods and identifier of a quantizer class: the reference's three static properties.
struct QuantizerMark {
  QuantizationTarget target{};
  std::array<QuantizationMethod, 5> methods{};
  std::size_t method_count = 0;
  std::string_view identifier;  ///< inferable_identifier, or the training method: "lsq", "mct-ste"; the command line's name

  constexpr bool serves(QuantizationMethod method) const {
    for (std::size_t i = 0; i < method_count; ++i)
      if (methods[i] == method) return true;
    return false;
  }
};

/// `static constexpr QuantizerMark mark = mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "mine");`
/// An empty method list, a method named twice or an empty identifier does not compile.
consteval QuantizerMark mark_quantizer(QuantizationTarget target, std::initializer_list<QuantizationMethod> methods,
                                       std::string_view identifier) {
  if (methods.size() == 0) throw "mark_quantizer: name at least one QuantizationMethod";
  if (methods.size() > 5) throw "mark_quantizer: a QuantizationMethod is named twice";
  if (identifier.empty()) throw "mark_quantizer: the identifier is empty";
  QuantizerMark mark{target, {}, 0, identifier};
  for (const QuantizationMethod method : methods) {
    if (mark.serves(method)) throw "mark_quantizer: a QuantizationMethod is named twice";
    mark.methods[mark.method_count++] = method;
  }
  return mark;
}

/// `Weights POWER_OF_TWO/SYMMETRIC "lsq"`, for messages.
std::string describe(const QuantizerMark& mark);

/// A class that carries its mark.
template <class Q>
concept MarkedQuantizer = requires {
  { Q::mark } -> std::convertible_to<QuantizerMark>;
  requires Q::mark.method_count > 0;
};

}  // namespace bitgrad
