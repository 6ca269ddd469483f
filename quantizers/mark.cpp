#include <bitgrad/quantizers/mark.hpp>

#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad {
namespace {

struct MethodName {
  QuantizationMethod method;
  std::string_view name;
  std::string_view short_name;
};

constexpr std::array<MethodName, 5> method_names{{
    {QuantizationMethod::POWER_OF_TWO, "POWER_OF_TWO", "pot"},
    {QuantizationMethod::LUT_POT_QUANTIZER, "LUT_POT_QUANTIZER", "lut-pot"},
    {QuantizationMethod::SYMMETRIC, "SYMMETRIC", "symmetric"},
    {QuantizationMethod::UNIFORM, "UNIFORM", "uniform"},
    {QuantizationMethod::LUT_SYM_QUANTIZER, "LUT_SYM_QUANTIZER", "lut-symmetric"},
}};

const MethodName& entry_of(QuantizationMethod method) {
  for (const MethodName& entry : method_names)
    if (entry.method == method) return entry;
  fail<ValueError>("QuantizationMethod ", static_cast<int>(method), " does not exist");
}

}  // namespace

std::string_view name_of(QuantizationTarget target) {
  return target == QuantizationTarget::Weights ? "Weights" : "Activation";
}

std::string_view name_of(QuantizationMethod method) { return entry_of(method).name; }

std::string_view short_name_of(QuantizationMethod method) { return entry_of(method).short_name; }

QuantizationMethod parse_method(std::string_view name) {
  std::vector<std::string> known;
  for (const MethodName& entry : method_names) {
    if (name == entry.name || name == entry.short_name) return entry.method;
    known.emplace_back(entry.short_name);
  }
  throw ValueError(unknown_name("quantization method", name, known));
}

std::string describe(const QuantizerMark& mark) {
  std::string text = message(name_of(mark.target), " ");
  for (std::size_t i = 0; i < mark.method_count; ++i) text += message(i ? "/" : "", name_of(mark.methods[i]));
  return text + message(" \"", mark.identifier, "\"");
}

}  // namespace bitgrad
