#include <bitgrad/qat/quantizer_spec.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view form = "NAME:BITS[:pot|symmetric|uniform][:per-tensor] or none";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

int parse_bits(std::string_view spec, const std::string& text) {
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  if (error != std::errc{} || end != text.data() + text.size() || bits < 1 || bits > 16)
    fail<ValueError>("quantizer \"", spec, "\": bits are \"", text, "\", expected a number from 1 to 16");
  return bits;
}

void parse_option(std::string_view spec, const std::string& text, QuantizerSpec& result) {
  static const std::vector<std::string> options{"pot", "symmetric", "uniform", "per-tensor"};
  if (std::ranges::find(options, text) == options.end())
    fail<ValueError>("quantizer \"", spec, "\": ", unknown_name("option", text, options));
  if (text == "per-tensor")
    result.per_channel = false;
  else
    result.method = parse_method(text);
}

}  // namespace

std::optional<QuantizerSpec> parse_quantizer_spec(std::string_view text) {
  if (text == "none") return std::nullopt;
  const std::vector<std::string> parts = split(text, ':');
  std::vector<std::string> known = trainable_identifiers();
  known.emplace_back("none");
  if (std::ranges::find(known, parts[0]) == known.end())
    fail<ValueError>("quantizer \"", text, "\": ", unknown_name("quantizer", parts[0], known), "; the form is ", form);
  if (parts.size() < 2 || parts.size() > 4 || parts[0] == "none") fail<ValueError>("quantizer \"", text, "\": expected ", form);
  QuantizerSpec spec{.quantizer = parts[0], .bits = parse_bits(text, parts[1])};
  for (std::size_t i = 2; i < parts.size(); ++i) parse_option(text, parts[i], spec);
  return spec;
}

void validate(const QuantizerSpec& spec, std::string_view what) {
  if (spec.bits < 1 || spec.bits > 16) fail<ValueError>(what, ": bits is ", spec.bits, ", expected 1 to 16");
  const std::vector<std::string> known = trainable_identifiers();
  if (std::ranges::find(known, spec.quantizer) == known.end())
    fail<ValueError>(what, ": ", unknown_name("quantizer", spec.quantizer, known));
}

std::string to_string(const std::optional<QuantizerSpec>& spec) {
  if (!spec) return "none";
  std::string text = message(spec->quantizer, ":", spec->bits);
  if (spec->method == QuantizationMethod::POWER_OF_TWO) text += ":pot";
  if (spec->method == QuantizationMethod::UNIFORM) text += ":uniform";
  if (!spec->per_channel) text += ":per-tensor";
  return text;
}

}  // namespace bitgrad
