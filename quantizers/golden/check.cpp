#include <bitgrad/quantizers/golden/check.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/range.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::golden {
namespace {

/// A difference: the case fails with this text.
struct Difference {
  std::string text;
};
/// The case cannot or must not be compared.
struct Skip {
  std::string reason;
};

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw Difference{message(parts...)};
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Elements to leave out, and the departure that is the reason.
struct Exceptions {
  std::vector<char> excepted;
  std::string reason;
};

class Runner {
 public:
  explicit Runner(Report& report) : report_(report) {}

  void run(const std::string& id, const std::function<void()>& check) {
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

  void compare(std::string_view what, const Tensor& got, const Tensor& expected, const Exceptions& exceptions = {}) {
    require(got.shape() == expected.shape(), what, " has shape ", got.shape(), ", expected ", expected.shape());
    for (Index i = 0; i < got.size(); ++i) {
      const float value = got.data<float>()[i], wanted = expected.data<float>()[i];
      if (same(static_cast<double>(value), static_cast<double>(wanted))) continue;
      const bool excepted = !exceptions.excepted.empty() && exceptions.excepted[static_cast<std::size_t>(i)];
      require(excepted, what, "[", i, "] is ", value, ", expected ", wanted);
      ++report_.skipped_elements[exceptions.reason];
    }
  }

 private:
  Report& report_;
};

void compare_list(std::string_view what, const std::vector<double>& got, const std::vector<double>& expected) {
  require(got.size() == expected.size(), what, " has ", got.size(), " elements, expected ", expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) require(same(got[i], expected[i]), what, "[", i, "] is ", got[i], ", expected ", expected[i]);
}

template <class T>
std::vector<double> as_doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// Float32 values that the reference recorded as doubles.
std::vector<double> as_floats(std::vector<double> values) {
  for (double& value : values) value = static_cast<double>(static_cast<float>(value));
  return values;
}

/// The case must throw; then it counts as skipped for `reason`.
[[noreturn]] void expect_refusal(const std::function<void()>& construct, const std::string& reason) {
  try {
    construct();
  } catch (const ValueError&) {
    throw Skip{reason};
  }
  throw Difference{"not refused: " + reason};
}

// ---- inferable quantizers ---------------------------------------------------------------------------------------------

bool registered(const std::string& class_name) {
  const auto entries = inferable_quantizers();
  return std::any_of(entries.begin(), entries.end(), [&](const InferableEntry& entry) { return entry.class_name == class_name; });
}

/// The same uniform weights with the reference's truncated zero point.
InferablePtr with_reference_zero_point(const BaseInferableQuantizer& quantizer) {
  const auto* uniform = dynamic_cast<const WeightsUniformInferableQuantizer*>(&quantizer);
  if (!uniform) return quantizer.clone();
  auto options = uniform->options();
  options.zero_point = ZeroPointRule::reference;
  return std::make_unique<WeightsUniformInferableQuantizer>(options);
}

bool refused_on_purpose(const InferableCase& c) {
  const bool uniform = c.class_name.find("Uniform") != std::string::npos;
  return c.num_bits > 16 || std::any_of(c.parameters.begin(), c.parameters.end(), [&](double value) {
           return !std::isfinite(value) || (!uniform && value <= 0);
         });
}

void check_inferable(Runner& runner, const InferableCase& c) {
  if (!registered(c.class_name)) throw Skip{"no class " + c.class_name};
  if (refused_on_purpose(c))
    expect_refusal([&] { inferable_from_json(c.json); }, "thresholds must be finite and positive, bits at most 16");
  const InferablePtr quantizer = inferable_from_json(c.json);
  Exceptions platform{std::vector<char>(static_cast<std::size_t>(c.input.size())), "clamped in float: the reference converts NaN or too large a number to an integer"};
  for (const Index i : c.platform_defined) platform.excepted.at(static_cast<std::size_t>(i)) = 1;

  const InferablePtr reference = with_reference_zero_point(*quantizer);
  runner.compare("output", (*reference)(c.input), c.output, platform);
  if (!c.lo) return;  // a table, no grid
  const Grid grid = reference->grid();
  compare_list("scale", as_doubles(grid.scale), as_floats(c.scale));
  compare_list("zero_point", as_doubles(grid.zero_point), c.zero_point);
  require(grid.lo == *c.lo && grid.hi == *c.hi, "bounds are ", grid.lo, "..", grid.hi, ", expected ", *c.lo, "..", *c.hi);
  if (!c.zero_point_if_rounded.empty())
    compare_list("rounded zero_point", as_doubles(quantizer->grid().zero_point), c.zero_point_if_rounded);
}

// ---- trainable quantizers ---------------------------------------------------------------------------------------------

/// Elements that are not finite or whose level |x / scale| reaches `limit`.
std::vector<char> beyond(const Tensor& x, const Grid& grid, double limit) {
  Grid one_step = grid;
  for (std::int32_t& zero_point : one_step.zero_point) zero_point = 0;
  one_step.lo = 0;
  one_step.hi = 1;
  const Tensor step = values_of(Tensor::full(x.shape(), 1, DType::int32), one_step);
  std::vector<char> result(static_cast<std::size_t>(x.size()));
  for (Index i = 0; i < x.size(); ++i) {
    const double level = static_cast<double>(x.data<float>()[i]) / static_cast<double>(step.data<float>()[i]);
    result[static_cast<std::size_t>(i)] = !(std::abs(level) < limit);
  }
  return result;
}

void check_variables(const TrainableCase& c, const BaseTrainableQuantizer& quantizer) {
  const auto& variables = quantizer.variables();
  require(variables.size() == c.variables.size(), variables.size(), " variables, expected ", c.variables.size());
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const GoldenVariable& expected = c.variables[i];
    const Parameter& got = *variables[i].parameter;
    require(variables[i].key == expected.key, "variable ", i, " is \"", variables[i].key, "\", expected \"", expected.key, "\"");
    require(got.name() == expected.registered_as, expected.key, " is registered as \"", got.name(), "\", expected \"",
            expected.registered_as, "\"");
    require(got.group() == ParameterGroup::qparams, expected.key, " is not of group qparams");
    require(got.trainable() == expected.trainable, expected.key, expected.trainable ? " should learn" : " should not learn");
    require(got.value().shape() == expected.shape, expected.key, " has shape ", got.value().shape(), ", expected ", expected.shape);
    const auto values = got.value().span<float>();
    compare_list(expected.key, {values.begin(), values.end()}, expected.init);
  }
}

void check_gradients_of(const TrainableCase& c, const Tensor& dx, const BaseTrainableQuantizer& quantizer) {
  for (Index i = 0; i < dx.size(); ++i) {
    const double got = static_cast<double>(dx.data<float>()[i]), expected = static_cast<double>(c.dx.data<float>()[i]);
    require(std::abs(got - expected) <= 2e-6 * std::abs(expected), "dx[", i, "] is ", got, ", expected ", expected);
  }
  for (const GoldenVariable& expected : c.variables) {
    if (!expected.gradient.defined() || expected.tolerance.empty()) continue;
    const Tensor& gradient = quantizer.get_quantizer_variable(expected.key)->gradient();
    require(static_cast<std::size_t>(gradient.size()) == expected.tolerance.size(), expected.key, ": ", expected.tolerance.size(),
            " tolerances for ", gradient.size(), " gradients");
    for (Index i = 0; i < gradient.size(); ++i) {
      const double got = static_cast<double>(gradient.data<float>()[i]);
      const double wanted = static_cast<double>(expected.gradient.data<float>()[i]);
      require(std::abs(got - wanted) <= expected.tolerance[static_cast<std::size_t>(i)], "gradient of ", expected.key, "[", i, "] is ",
              got, ", expected ", wanted, " within ", expected.tolerance[static_cast<std::size_t>(i)]);
    }
  }
}

/// Returns the converted quantizer as the reference has it, or null where conversion is refused on both sides.
InferablePtr check_conversion(Runner& runner, const TrainableCase& c, const BaseTrainableQuantizer& quantizer) {
  if (c.conversion.refused) {
    bool refused = false;
    try {
      quantizer.convert2inferable();
    } catch (const ValueError&) {
      refused = true;
    }
    require(refused, "conversion should be refused");
    return nullptr;
  }
  InferablePtr reference = with_reference_zero_point(*quantizer.convert2inferable());
  require(reference->type() == c.conversion.class_name, "converts to ", reference->type(), ", expected ", c.conversion.class_name);
  const Grid grid = reference->grid();
  if (!c.conversion.json.empty()) require(grid == inferable_from_json(c.conversion.json)->grid(), "converted grid is ", grid);
  if (!c.conversion.scale.empty()) {
    compare_list("converted scale", as_doubles(grid.scale), as_floats(c.conversion.scale));
    compare_list("converted zero_point", as_doubles(grid.zero_point), c.conversion.zero_point);
  }
  // From 2^63 up the reference's conversion to an integer is undefined.
  runner.compare("converted output", (*reference)(c.x), c.conversion.output,
                 {beyond(c.x, grid, 0x1p62), "clamped in float: the reference converts NaN or too large a number to an integer"});
  return reference;
}

bool refused_on_purpose(const TrainableCase& c) {
  const BaseQuantizerConfig& config = c.weights ? static_cast<const BaseQuantizerConfig&>(c.weights_config) : c.activation_config;
  const bool floored = c.weights && config.method == QuantizationMethod::POWER_OF_TWO;
  bool refused = config.n_bits > 16;
  for (const auto& [key, values] : config.quantization_params)
    for (const double value : values.span<double>())
      refused = refused || !std::isfinite(value) || (key == "threshold" && (floored ? value < 0 : value <= 0));
  if (!config.quantization_params.contains("range_min") || !config.quantization_params.contains("range_max")) return refused;
  const auto min = config.param("range_min").span<double>(), max = config.param("range_max").span<double>();
  for (std::size_t i = 0; i < std::min(min.size(), max.size()); ++i) refused = refused || !(min[i] < max[i]);
  return refused;
}

TrainablePtr build(const TrainableCase& c) {
  return c.weights ? make_trainable(c.identifier, c.weights_config, c.freeze) : make_trainable(c.identifier, c.activation_config, c.freeze);
}

void check_trainable(Runner& runner, const TrainableCase& c) {
  const QuantizationTarget target = c.weights ? QuantizationTarget::Weights : QuantizationTarget::Activation;
  const auto& entry = get_trainable_quantizer_class(target, c.identifier, c.weights ? c.weights_config.method : c.activation_config.method);
  require(entry.class_name == c.class_name, "the class is ", entry.class_name, ", expected ", c.class_name);
  if (refused_on_purpose(c))
    expect_refusal([&] { build(c); }, "thresholds must be finite and positive, ranges finite with min < max, bits at most 16");
  if (c.infinite_gradient_scale) expect_refusal([&] { build(c); }, "1 bit signed has an infinite gradient scale in the reference's LSQ");

  const TrainablePtr quantizer = build(c);
  quantizer->initialize_quantization(c.weights ? std::optional<Shape>(c.x.shape()) : std::nullopt, c.weights ? "w" : "act");
  check_variables(c, *quantizer);
  const InferablePtr converted = check_conversion(runner, c, *quantizer);

  Tape tape;
  const Variable x = tape.watch(c.x, "x");
  const Variable y = (*quantizer)(x, true);
  Exceptions saturating;
  if (converted) {
    const bool clamp_is_straight_through = c.identifier == "mct-ste";
    saturating = {beyond(c.x, converted->grid(), clamp_is_straight_through ? 0x1p23 : HUGE_VAL),
                  "saturating clamp: the reference loses its bounds for huge inputs and returns NaN for infinities"};
  }
  runner.compare("y", y.value(), c.y, saturating);
  if (c.special_values) return;
  tape.backward(y, c.dy);
  check_gradients_of(c, tape.gradient(x), *quantizer);
}

// ---- tables -----------------------------------------------------------------------------------------------------------

void check_lookup(const LookupCase& c) {
  std::string found;
  try {
    found = c.trainable ? get_trainable_quantizer_class(c.target, c.identifier, c.method).class_name
                        : std::string(get_inferable_quantizer_class(c.target, c.method));
  } catch (const ValueError&) {
  }
  if (found.empty() && !c.class_name.empty() && !c.trainable && !registered(c.class_name)) throw Skip{"no class " + c.class_name};
  require(found == c.class_name, "found \"", found, "\", expected \"", c.class_name, "\"");
}

void check_power_of_two(const PowerOfTwoCase& c) {
  std::vector<double> result;
  for (const double t : c.threshold)
    result.push_back(c.at_start ? power_of_two_at_start(t) : static_cast<double>(power_of_two_at_conversion(static_cast<float>(t))));
  compare_list("power of two", result, c.result);
}

void check_range(const RangeCase& c) {
  std::vector<double> min, max;
  for (std::size_t i = 0; i < c.min.size(); ++i) {
    Range<double> range{};
    if (c.single_precision) {
      const auto adjusted = adjust_range_to_include_zero(static_cast<float>(c.min[i]), static_cast<float>(c.max[i]), c.bits);
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
  return std::count_if(outcomes.begin(), outcomes.end(), [&](const Outcome& outcome) { return outcome.verdict == verdict; });
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
