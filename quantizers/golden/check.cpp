#include <bitgrad/quantizers/golden/check.hpp>

#include <algorithm>

#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/range.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::golden {
namespace {

using namespace detail;

void check_lookup(const LookupCase& c) {
  std::string found;
  try {
    found = c.trainable ? get_trainable_quantizer_class(c.target, c.identifier, c.method).class_name
                        : std::string(get_inferable_quantizer_class(c.target, c.method));
  } catch (const ValueError&) {
  }
  if (found.empty() && !c.class_name.empty() && !c.trainable && !registered(c.class_name))
    throw Skip{"no class " + c.class_name};
  require(found == c.class_name, "found \"", found, "\", expected \"", c.class_name, "\"");
}

void check_power_of_two(const PowerOfTwoCase& c) {
  std::vector<double> result;
  for (const double t : c.threshold)
    result.push_back(c.at_start ? power_of_two_at_start(t)
                                : static_cast<double>(power_of_two_at_conversion(static_cast<float>(t))));
  compare_list("power of two", result, c.result);
}

void check_range(const RangeCase& c) {
  std::vector<double> min, max;
  for (std::size_t i = 0; i < c.min.size(); ++i) {
    Range<double> range{};
    if (c.single_precision) {
      const auto adjusted =
          adjust_range_to_include_zero(static_cast<float>(c.min[i]), static_cast<float>(c.max[i]), c.bits);
      range = {static_cast<double>(adjusted.min), static_cast<double>(adjusted.max)};
    } else {
      range = adjust_range_to_include_zero(c.min[i], c.max[i], c.bits);
    }
    min.push_back(c.clamped ? std::min(range.min, 0.0) : range.min);
    max.push_back(c.clamped ? std::max(range.max, 0.0) : range.max);
  }
  compare_list("adjusted min", min, c.adjusted_min);
  compare_list("adjusted max", max, c.adjusted_max);
}

}  // namespace

Index Report::count(Verdict verdict) const {
  return std::count_if(outcomes.begin(), outcomes.end(),
                       [&](const Outcome& outcome) { return outcome.verdict == verdict; });
}

Report check_quantizers(const Manifest& manifest) {
  Report report;
  Runner runner(report);
  for (const auto& c : manifest.inferable) runner.run(c.id, [&] { check_inferable(runner, c); });
  for (const auto& c : manifest.trainable) runner.run(c.id, [&] { check_trainable(runner, c); });
  for (const auto& c : manifest.lookups) runner.run(c.id, [&] { check_lookup(c); });
  for (const auto& c : manifest.powers_of_two) runner.run(c.id, [&] { check_power_of_two(c); });
  for (const auto& c : manifest.ranges) runner.run(c.id, [&] { check_range(c); });
  return report;
}

}  // namespace bitgrad::golden
