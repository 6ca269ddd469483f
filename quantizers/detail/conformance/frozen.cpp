// A frozen quantizer by itself.
#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/quantizers/detail/conformance/checks.hpp>
#include <bitgrad/quantizers/detail/conformance/outputs.hpp>

namespace bitgrad::conformance {
namespace {

std::vector<double> to_doubles(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64);
  return {values.data<double>(), values.data<double>() + values.size()};
}

class FrozenChecks {
 public:
  FrozenChecks(const BaseInferableQuantizer& q, const ConformanceOptions& options, std::string state,
               Recorder& recorder)
      : q_(q), options_(options), state_(std::move(state)), recorder_(recorder), grid_(q.grid()) {}

  void run() {
    check(Property::levels, "the grid", [&] { grid(); });
    check(Property::power_of_two, "the grid", [&] { power_of_two(); });
    const Quantization quantization{.values = [this](const Tensor& x) { return q_(x); },
                                    .ruler = ruler_of(grid_),
                                    .rank = options_.rank,
                                    .bits = q_.bits(),
                                    .state = state_,
                                    .seed = options_.seed};
    check_outputs(quantization, recorder_);
    const Probe probe(quantization.ruler, options_.rank, dense_positions(quantization.ruler, options_.seed));
    check(Property::codes, "inputs around the levels", [&] { codes(probe); });
    check(Property::codes, "every code", [&] { codes_of_values(); });
    check(Property::codes, "inputs around the levels", [&] { values(probe); });
    check(Property::special_values, "a NaN", [&] { no_code_for_nan(probe); });
    check(Property::serialization, "to_json()", [&] { serialization(probe); });
    check(Property::threads, "many inputs", [&] {
      check_threads(
          quantization, options_.threads,
          [this](const Tensor& x) {
            return std::vector{q_(x), q_.codes(x)};
          },
          recorder_);
    });
  }

 private:
  template <class Check>
  void check(Property property, std::string_view input, Check&& f) {
    recorder_.check(property, state_ + std::string(input), f);
  }
  void find(Property property, const std::string& input, const std::string& values) {
    recorder_.find(property, state_ + input, values);
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
    for (std::size_t c = 0; c < grid_.scale.size(); ++c) {
      int exponent = 0;
      if (std::frexp(grid_.scale[c], &exponent) != 0.5F)
        find(Property::power_of_two, message("the grid of channel ", c), message("scale ", grid_.scale[c]));
    }
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
    const auto power_of_two = [](float scale) {
      int exponent = 0;
      return std::frexp(scale, &exponent) == 0.5F;
    };
    if (!std::ranges::all_of(grid_.scale, power_of_two)) return;  // then reciprocals are exact, and so is every tie
    compare_with_rule(probe, to_doubles(q_(probe.x)), Compared::values, grid_, Property::codes, state_, recorder_);
  }

  void no_code_for_nan(const Probe& probe) {
    Tensor x = probe.x.clone();
    x.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    try {
      const Tensor codes = q_.codes(x);
      find(Property::special_values, "codes() of a NaN",
           message("is ", codes.data<std::int32_t>()[0], ", expected a ValueError"));
    } catch (const ValueError&) {
    }
  }

  void serialization(const Probe& probe) {
    const std::string json = q_.to_json(), line = q_.describe();
    if (line.empty() || line.find('\n') != std::string::npos)
      find(Property::serialization, "describe()", message("\"", line, "\", expected one line"));
    const InferablePtr read = inferable_from_json(json), copy = q_.clone();
    for (const BaseInferableQuantizer* other : {read.get(), copy.get()}) {
      const char* what = other == read.get() ? "reads back as " : "is copied as ";
      if (other->type() != q_.type() || other->to_json() != json || other->describe() != line ||
          !(other->grid() == grid_))
        find(Property::serialization, json, message(what, other->to_json(), " (", other->describe(), ")"));
      else if (!identical((*other)(probe.x), q_(probe.x)))
        find(Property::serialization, json, message(what, "a quantizer with other values"));
    }
  }

  const BaseInferableQuantizer& q_;
  const ConformanceOptions& options_;
  std::string state_;
  Recorder& recorder_;
  Grid grid_;
};

}  // namespace

void check_frozen(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                  Recorder& recorder) {
  recorder.check(Property::levels, state + "grid()", [&] { FrozenChecks(quantizer, options, state, recorder).run(); });
}

}  // namespace bitgrad::conformance
