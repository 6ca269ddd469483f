// A frozen quantizer whose levels are a grid.
#include <algorithm>

#include <bitgrad/quantizers/detail/conformance/frozen.hpp>
#include <bitgrad/quantizers/detail/conformance/rule.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad::conformance {
namespace {

class GridChecks : public FrozenChecks {
 public:
  GridChecks(const BaseInferableQuantizer& q, const ConformanceOptions& options, std::string state, Recorder& recorder)
      : FrozenChecks(q, options, std::move(state), recorder, ruler_of(q.grid())), grid_(q.grid()) {}

 private:
  bool same_levels(const BaseInferableQuantizer& other) const override { return other.grid() == grid_; }
  void check_levels() override {
    check(Property::levels, "the grid", [&] { grid(); });
    check(Property::power_of_two, "the grid", [&] { power_of_two(); });
  }
  void check_codes(const Probe& probe) override {
    check(Property::codes, "inputs around the levels", [&] { codes(probe); });
    check(Property::codes, "every code", [&] { codes_of_values(); });
    check(Property::codes, "inputs around the levels", [&] { values(probe); });
  }

  void grid() {
    validate(grid_, q_.type());
    if (grid_.bits != q_.bits())
      find(Property::levels, "the grid", message("the quantizer has ", q_.bits(), " bits, its grid ", grid_.bits));
    for (std::size_t c = 0; c < grid_.zero_point.size(); ++c)
      if (grid_.zero_point[c] < grid_.lo || grid_.zero_point[c] > grid_.hi)
        find(Property::zero, message("the grid of channel ", c),
             message("zero point ", grid_.zero_point[c], " is no code of ", grid_.lo, "..", grid_.hi));
  }

  void power_of_two() {
    if (!q_.marks().serves(QuantizationMethod::POWER_OF_TWO) || q_.marks().method_count != 1) return;
    for (std::size_t c = 0; c < grid_.scale.size(); ++c)
      if (!is_power_of_two(grid_.scale[c]))
        find(Property::power_of_two, message("the grid of channel ", c), message("scale ", grid_.scale[c]));
  }

  void codes(const Probe& probe) {
    compare_with_rule(probe, to_doubles(q_.codes(probe.x)), Compared::codes, grid_, Property::codes, state_, recorder_);
  }

  /// Every code has a value whose code it is.
  void codes_of_values() {
    std::vector<Position> positions;
    const int step = std::max(1, (grid_.hi - grid_.lo) / 1024);
    for (int code = grid_.lo; code <= grid_.hi; code += step) positions.push_back({static_cast<double>(code)});
    positions.push_back({static_cast<double>(grid_.hi)});
    const Probe probe(ruler_of(grid_), options_.rank, positions);
    const Tensor codes = q_.codes(probe.x), values = q_.dequantize(codes), again = q_.codes(values);
    for (Index i = 0; i < codes.size(); ++i) {
      const std::int32_t code = codes.data<std::int32_t>()[i];
      const double wanted = value_of_code(code, grid_, grid_.per_channel() ? probe.layout.channel_of(i) : 0);
      const double value = static_cast<double>(values.data<float>()[i]);
      if (value != wanted)
        return find(Property::codes, message("code ", code), message("has the value ", value, ", expected ", wanted));
      if (again.data<std::int32_t>()[i] != code)
        return find(Property::codes, message("code ", code, ", value ", value),
                    message("the value has code ", again.data<std::int32_t>()[i]));
    }
  }

  /// The float call may multiply by the reciprocal, as the reference does: ties may fall either way.
  void values(const Probe& probe) {
    compare_closely(probe, require_like(q_(probe.x), probe.x), grid_, Property::codes, state_, recorder_);
    if (!std::ranges::all_of(grid_.scale, is_power_of_two)) return;  // then reciprocals are exact, and so is every tie
    compare_with_rule(probe, to_doubles(q_(probe.x)), Compared::values, grid_, Property::codes, state_, recorder_);
  }

  Grid grid_;
};

}  // namespace

void check_grid(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                Recorder& recorder) {
  GridChecks(quantizer, options, state, recorder).run();
}

}  // namespace bitgrad::conformance
