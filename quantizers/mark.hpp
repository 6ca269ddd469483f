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

/// What is quantized. The names are those of the reference system: Sony's Model Compression Toolkit and its
/// mct_quantizers (quantizers/README.md).
enum class QuantizationTarget { Activation, Weights };

/// How the grid is described; the values are the reference system's.
enum class QuantizationMethod {
  POWER_OF_TWO = 0,
  LUT_POT_QUANTIZER = 1,
  SYMMETRIC = 2,
  UNIFORM = 3,
  LUT_SYM_QUANTIZER = 4
};

/// The enumerator's name: "Weights", "POWER_OF_TWO". ValueError for a number that is no method.
std::string_view name_of(QuantizationTarget target);
std::string_view name_of(QuantizationMethod method);
/// "pot", "symmetric", "uniform", "lut-pot", "lut-symmetric": the words of the command line.
std::string_view short_name_of(QuantizationMethod method);
/// From the enumerator's name ("SYMMETRIC") or the short one ("pot", "symmetric", "uniform", "lut-pot",
/// "lut-symmetric"); ValueError with the nearest otherwise.
QuantizationMethod parse_method(std::string_view name);

/// Identifier of every inferable quantizer.
inline constexpr std::string_view inferable_identifier = "inferable";

/// What is wrong with a mark. It is kept in the mark so that the class that carries it is refused in one sentence
/// (RequireMark in trainable/trainable_quantizer.hpp).
enum class MarkMistake { none, no_method, method_twice, identifier };

/// Target, methods and identifier of a quantizer class: the reference's three static properties.
struct QuantizerMark {
  QuantizationTarget target{};
  std::array<QuantizationMethod, 5> methods{};
  std::size_t method_count = 0;
  /// inferable_identifier, or the training method: "lsq", "mct-ste"; the command line's name.
  std::string_view identifier;
  MarkMistake mistake = MarkMistake::no_method;

  constexpr bool serves(QuantizationMethod method) const {
    for (std::size_t i = 0; i < method_count; ++i)
      if (methods[i] == method) return true;
    return false;
  }
};

namespace detail {

/// "mine" of "mine:4": lower-case letters, digits and -_. ; not "none", which stands for no quantizer.
constexpr bool is_identifier(std::string_view text) {
  return !text.empty() && text != "none" &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string_view::npos;
}

}  // namespace detail

/// The mark of a class, which has it as `static constexpr QuantizerMark mark = mark_quantizer(...)`. A class whose mark
/// has an empty method list, a method named twice or an identifier that the command line cannot take (lower-case
/// letters, digits and -_. are allowed) does not compile.
consteval QuantizerMark mark_quantizer(QuantizationTarget target, std::initializer_list<QuantizationMethod> methods,
                                       std::string_view identifier) {
  QuantizerMark mark{target, {}, 0, identifier, MarkMistake::none};
  if (methods.size() == 0) mark.mistake = MarkMistake::no_method;
  if (!detail::is_identifier(identifier)) mark.mistake = MarkMistake::identifier;
  for (const QuantizationMethod method : methods) {
    if (mark.serves(method))
      mark.mistake = MarkMistake::method_twice;
    else
      mark.methods[mark.method_count++] = method;
  }
  return mark;
}

/// `Weights POWER_OF_TWO/SYMMETRIC "lsq"`, for messages.
std::string describe(const QuantizerMark& mark);

/// A class with a public member `mark` of the right type, which may have a mistake in it.
template <class Q>
concept HasMark = requires {
  { Q::mark } -> std::convertible_to<QuantizerMark>;
};

/// A class that carries its mark.
template <class Q>
concept MarkedQuantizer = HasMark<Q> &&(Q::mark.mistake == MarkMistake::none);

}  // namespace bitgrad
