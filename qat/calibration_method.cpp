#include <bitgrad/qat/calibration_method.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad {
namespace {

/// In the order of the enumerators.
const std::vector<std::string>& names() {
  static const std::vector<std::string> list{"mse", "minmax", "percentile", "kl"};
  return list;
}

}  // namespace

Calibration parse_calibration(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  const auto found = std::ranges::find(names(), name);
  if (found == names().end()) throw ValueError(unknown_name("calibration method", name, names()));
  Calibration calibration{static_cast<CalibrationMethod>(found - names().begin())};
  if (equals == std::string_view::npos) return calibration;
  const std::string_view number = text.substr(equals + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), calibration.percentile);
  const bool complete = error == std::errc{} && end == number.data() + number.size();
  if (calibration.method != CalibrationMethod::percentile)
    fail<ValueError>("calibration \"", text, "\": only percentile takes a number, as in percentile=99.9");
  if (!complete || !(calibration.percentile > 50 && calibration.percentile <= 100))
    fail<ValueError>("calibration \"", text, "\": the percentage is \"", number,
                     "\", expected a number above 50, at most 100");
  return calibration;
}

void validate(const Calibration& calibration, std::string_view what) {
  if (calibration.method == CalibrationMethod::percentile &&
      !(calibration.percentile > 50 && calibration.percentile <= 100))
    fail<ValueError>(what, ": the percentage is ", calibration.percentile, ", expected a number above 50, at most 100");
}

std::string to_string(const Calibration& calibration) {
  std::string text = names()[static_cast<std::size_t>(calibration.method)];
  if (calibration.method != CalibrationMethod::percentile || calibration.percentile == Calibration{}.percentile)
    return text;
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, calibration.percentile);
  return text + "=" + std::string(digits, end);
}

}  // namespace bitgrad
