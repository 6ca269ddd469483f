#include <bitgrad/qat/quantizer_spec.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view form =
    "NAME:BITS[:pot|symmetric|uniform][:per-tensor][:mse|minmax|percentile[=P]|kl] or none";

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

/// The options behind NAME:BITS, of each kind at most one.
class Options {
 public:
  Options(std::string_view spec, QuantizerSpec& result) : spec_(spec), result_(result) {}

  void parse(const std::string& text) {
    static const std::vector<std::string> known{"pot", "symmetric", "uniform",    "per-tensor",
                                                "mse", "minmax",    "percentile", "kl"};
    const std::string name = text.substr(0, text.find('='));
    const auto found = std::ranges::find(known, name) - known.begin();
    if (found < 3) {
      once(method_, text);
      result_.method = parse_method(text);
    } else if (found == 3 && text == name) {
      once(per_tensor_, text);
      result_.per_channel = false;
    } else if (found < static_cast<std::ptrdiff_t>(known.size()) && found > 3) {
      once(calibration_, text);
      result_.calibration = calibration(text);
    } else {
      fail<ValueError>("quantizer \"", spec_, "\": ", unknown_name("option", text, known));
    }
  }

 private:
  void once(std::string& earlier, const std::string& text) const {
    if (!earlier.empty())
      fail<ValueError>("quantizer \"", spec_, "\": has both \"", earlier, "\" and \"", text, "\", expected one");
    earlier = text;
  }
  Calibration calibration(const std::string& text) const {
    try {
      return parse_calibration(text);
    } catch (const ValueError& error) {
      fail<ValueError>("quantizer \"", spec_, "\": ", error.what());
    }
  }

  std::string_view spec_;
  QuantizerSpec& result_;
  std::string method_, per_tensor_, calibration_;
};

}  // namespace

QuantizationMethod method_of(const QuantizerSpec& spec, QuantizationTarget target) {
  return spec.method ? *spec.method : default_method(target, spec.quantizer);
}

std::optional<QuantizerSpec> parse_quantizer_spec(std::string_view text) {
  if (text == "none") return std::nullopt;
  const std::vector<std::string> parts = split(text, ':');
  std::vector<std::string> known = trainable_identifiers();
  known.emplace_back("none");
  if (std::ranges::find(known, parts[0]) == known.end())
    fail<ValueError>("quantizer \"", text, "\": ", unknown_name("quantizer", parts[0], known), "; the form is ", form);
  if (parts.size() < 2 || parts[0] == "none") fail<ValueError>("quantizer \"", text, "\": expected ", form);
  QuantizerSpec spec{.quantizer = parts[0], .bits = parse_bits(text, parts[1])};
  Options options(text, spec);
  for (std::size_t i = 2; i < parts.size(); ++i) options.parse(parts[i]);
  return spec;
}

void validate(const QuantizerSpec& spec, std::string_view what) {
  if (spec.bits < 1 || spec.bits > 16) fail<ValueError>(what, ": bits is ", spec.bits, ", expected 1 to 16");
  const std::vector<std::string> known = trainable_identifiers();
  if (std::ranges::find(known, spec.quantizer) == known.end())
    fail<ValueError>(what, ": ", unknown_name("quantizer", spec.quantizer, known));
  if (spec.calibration) validate(*spec.calibration, what);
}

std::string to_string(const std::optional<QuantizerSpec>& spec) {
  if (!spec) return "none";
  std::string text = message(spec->quantizer, ":", spec->bits);
  if (spec->method) text += message(":", short_name_of(*spec->method));
  if (!spec->per_channel) text += ":per-tensor";
  if (spec->calibration) text += message(":", to_string(*spec->calibration));
  return text;
}

}  // namespace bitgrad
