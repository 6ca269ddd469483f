#include <bitgrad/quantizers/golden/detail/compare.hpp>

#include <algorithm>

#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::golden::detail {
namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

void Runner::run(const std::string& id, const std::function<void()>& check) {
  Outcome outcome{id, Verdict::passed, {}};
  try {
    check();
  } catch (const Difference& difference) {
    outcome.verdict = Verdict::failed;
    outcome.detail = difference.text;
  } catch (const Skip& skip) {
    outcome.verdict = Verdict::skipped;
    outcome.detail = skip.reason;
  } catch (const std::exception& error) {
    outcome.verdict = Verdict::failed;
    outcome.detail = message("exception: ", error.what());
  }
  report_.outcomes.push_back(std::move(outcome));
}

void Runner::compare(std::string_view what, const Tensor& got, const Tensor& expected, const Exceptions& exceptions) {
  require(got.shape() == expected.shape(), what, " has shape ", got.shape(), ", expected ", expected.shape());
  for (Index i = 0; i < got.size(); ++i) {
    const float value = got.data<float>()[i], wanted = expected.data<float>()[i];
    if (same(static_cast<double>(value), static_cast<double>(wanted))) continue;
    const bool excepted = !exceptions.excepted.empty() && exceptions.excepted[static_cast<std::size_t>(i)];
    require(excepted, what, "[", i, "] is ", value, ", expected ", wanted);
    ++report_.skipped_elements[exceptions.reason];
  }
}

void compare_list(std::string_view what, const std::vector<double>& got, const std::vector<double>& expected) {
  require(got.size() == expected.size(), what, " has ", got.size(), " elements, expected ", expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    require(same(got[i], expected[i]), what, "[", i, "] is ", got[i], ", expected ", expected[i]);
}

std::vector<double> as_floats(std::vector<double> values) {
  for (double& value : values) value = static_cast<double>(static_cast<float>(value));
  return values;
}

void expect_refusal(const std::function<void()>& construct, const std::string& reason) {
  try {
    construct();
  } catch (const ValueError&) {
    throw Skip{reason};
  }
  throw Difference{"not refused: " + reason};
}

bool registered(const std::string& class_name) {
  const auto entries = inferable_quantizers();
  return std::any_of(entries.begin(), entries.end(),
                     [&](const InferableEntry& entry) { return entry.class_name == class_name; });
}

InferablePtr with_reference_zero_point(const BaseInferableQuantizer& quantizer) {
  const auto* uniform = dynamic_cast<const WeightsUniformInferableQuantizer*>(&quantizer);
  if (!uniform) return quantizer.clone();
  auto options = uniform->options();
  options.zero_point = ZeroPointRule::reference;
  return std::make_unique<WeightsUniformInferableQuantizer>(options);
}

}  // namespace bitgrad::golden::detail
