// A frozen quantizer whose levels are the entries of a table.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <bitgrad/quantizers/detail/conformance/frozen.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad::conformance {
namespace {

/// Of an entry, by which a nearer one may be missed: inputs are divided by the threshold plus a small epsilon.
constexpr double tolerance = 1e-3;

Ruler ruler_of(const LookupTable& table) {
  const auto [lo, hi] = std::ranges::minmax(table.entries);
  return {static_cast<double>(lo), static_cast<double>(hi), table.scale, std::vector<double>(table.scale.size(), 0.0),
          table.channel_axis};
}

class TableChecks : public FrozenChecks {
 public:
  TableChecks(const BaseInferableQuantizer& q, const ConformanceOptions& options, std::string state, Recorder& recorder)
      : FrozenChecks(q, options, std::move(state), recorder, ruler_of(*q.table())),
        table_(*q.table()),
        levels_(table_.entries.begin(), table_.entries.end()) {}

 private:
  bool same_levels(const BaseInferableQuantizer& other) const override { return other.table() == table_; }

  void check_levels() override {
    if (static_cast<double>(levels_.size()) > std::exp2(q_.bits()))
      find(Property::levels, "the table", message(levels_.size(), " different entries for ", q_.bits(), " bits"));
    if (!q_.marks().serves(QuantizationMethod::LUT_POT_QUANTIZER)) return;
    for (std::size_t c = 0; c < table_.scale.size(); ++c)
      if (!is_power_of_two(table_.scale[c]))
        find(Property::power_of_two, message("the table of channel ", c), message("scale ", table_.scale[c]));
  }

  void check_codes(const Probe& probe) override {
    check(Property::codes, "inputs around the levels", [&] { nearest(probe); });
    check(Property::codes, "a code that is no entry", [&] { no_value(); });
  }

  double distance_to_table(double level) const {
    double least = std::numeric_limits<double>::infinity();
    for (const double entry : levels_) least = std::min(least, std::abs(level - entry));
    return least;
  }

  /// Codes are the nearest entries, and values are entry * scale in float32.
  void nearest(const Probe& probe) {
    const Tensor codes = q_.codes(probe.x), values = require_like(q_(probe.x), probe.x),
                 dequantized = q_.dequantize(codes);
    for (Index i = 0; i < codes.size(); ++i) {
      const std::size_t c = table_.channel_axis ? probe.layout.channel_of(i) : 0;
      const std::int32_t code = codes.data<std::int32_t>()[i];
      if (!levels_.contains(code)) return find(Property::codes, probe.name(i), message("code ", code, ", no entry"));
      const double level = static_cast<double>(probe.x.data<float>()[i]) / static_cast<double>(table_.scale[c]);
      if (std::abs(level - code) > distance_to_table(level) + tolerance)
        return find(Property::codes, probe.name(i), message("code ", code, " is not the entry nearest to ", level));
      const float value = values.data<float>()[i], wanted = static_cast<float>(code) * table_.scale[c];
      if (value != wanted || dequantized.data<float>()[i] != value)
        return find(Property::codes, probe.name(i),
                    message("code ", code, " has the value ", dequantized.data<float>()[i], ", the quantized input is ",
                            value, ", expected ", wanted));
    }
  }

  void no_value() {
    const std::int32_t beyond = *levels_.rbegin() + 1;
    try {
      q_.dequantize(Tensor::full(Layout(ruler_, options_.rank, 1).shape(), beyond, DType::int32));
      find(Property::codes, message("code ", beyond), "has a value, expected a ValueError");
    } catch (const ValueError&) {
    }
  }

  LookupTable table_;
  std::set<std::int32_t> levels_;
};

}  // namespace

void check_table(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                 Recorder& recorder) {
  TableChecks(quantizer, options, state, recorder).run();
}

}  // namespace bitgrad::conformance
