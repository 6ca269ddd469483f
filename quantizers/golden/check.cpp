#include <bitgrad/quantizers/golden/check.hpp>

#include <algorithm>

#include <bitgrad/quantizers/annealing.hpp>
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
  const auto text = [](const std::string& name) { return name.empty() ? "none" : name; };
  require(found == c.class_name, "the class is ", text(found), ", expected ", text(c.class_name));
}

void check_power_of_two(const PowerOfTwoCase& c) {
  std::vector<double> result;
  for (const double t : c.threshold)
    result.push_back(c.at_start ? power_of_two_at_start(t)
                                : static_cast<double>(power_of_two_at_conversion(static_cast<float>(t))));
  compare_list("power of two", result, c.result);
}

void check_annealing(const AnnealingCase& c) {
  if (c.t.empty()) {
    require(refuses([&] { LinearAnnealing(c.t_start, c.t_end, c.initial, c.target); }), "not refused");
    return;
  }
  const LinearAnnealing annealing(c.t_start, c.t_end, c.initial, c.target);
  std::vector<double> values;
  for (const double t : c.t) values.push_back(static_cast<double>(annealing(t)));
  compare_list("value", values, c.value);
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

std::string Report::describe() const {
  std::ostringstream out;
  std::map<std::string, std::vector<std::string>> skipped;  // cases by reason
  for (const Outcome& outcome : outcomes) {
    if (outcome.verdict == Verdict::failed) out << "FAILED " << outcome.id << ": " << outcome.detail << '\n';
    if (outcome.verdict == Verdict::skipped) skipped[outcome.detail].push_back(outcome.id);
  }
  for (const auto& [reason, cases] : skipped) {
    out << "skipped " << cases.size() << (cases.size() == 1 ? " case, " : " cases, ") << reason << ':';
    for (const std::string& id : cases) out << ' ' << id;
    out << '\n';
  }
  for (const auto& [reason, count] : skipped_elements)
    out << "skipped " << count << (count == 1 ? " element, " : " elements, ") << reason << '\n';
  out << count(Verdict::passed) << " passed, " << count(Verdict::failed) << " failed, " << count(Verdict::skipped)
      << " skipped\n";
  return out.str();
}

Report check_quantizers(const Manifest& manifest) {
  Report report;
  Runner runner(report);
  for (const auto& c : manifest.inferable) runner.run(c.id, [&] { check_inferable(runner, c); });
  for (const auto& c : manifest.trainable) runner.run(c.id, [&] { check_trainable(runner, c); });
  for (const auto& c : manifest.illegal)
    if (c.kind != IllegalCase::Kind::wrapper) runner.run(c.id, [&] { check_illegal(c); });
  for (const auto& c : manifest.legal) runner.run(c.id, [&] { check_legal(c); });
  for (const auto& c : manifest.lookups) runner.run(c.id, [&] { check_lookup(c); });
  for (const auto& c : manifest.annealing) runner.run(c.id, [&] { check_annealing(c); });
  for (const auto& c : manifest.powers_of_two) runner.run(c.id, [&] { check_power_of_two(c); });
  for (const auto& c : manifest.ranges) runner.run(c.id, [&] { check_range(c); });
  return report;
}

}  // namespace bitgrad::golden
