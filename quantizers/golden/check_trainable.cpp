#include <algorithm>

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::golden::detail {
namespace {

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
    require(variables[i].key == expected.key, "variable ", i, " is \"", variables[i].key, "\", expected \"",
            expected.key, "\"");
    require(got.name() == expected.registered_as, expected.key, " is registered as \"", got.name(), "\", expected \"",
            expected.registered_as, "\"");
    require(got.group() == ParameterGroup::qparams, expected.key, " is not of group qparams");
    require(got.trainable() == expected.trainable, expected.key,
            expected.trainable ? " should learn" : " should not learn");
    require(got.value().shape() == expected.shape, expected.key, " has shape ", got.value().shape(), ", expected ",
            expected.shape);
    const auto values = got.value().span<float>();
    compare_list(expected.key, {values.begin(), values.end()}, expected.init);
  }
}

void check_gradients_of(const TrainableCase& c, const Tensor& dx, const BaseTrainableQuantizer& quantizer) {
  for (Index i = 0; i < dx.size(); ++i) {
    const double got = static_cast<double>(dx.data<float>()[i]), expected = static_cast<double>(c.dx.data<float>()[i]);
    require(std::abs(got - expected) <= 2e-6 * std::abs(expected), "dx[", i, "] is ", exact(got), ", expected ",
            exact(expected));
  }
  for (const GoldenVariable& expected : c.variables) {
    if (!expected.gradient.defined() || expected.tolerance.empty()) continue;
    const Tensor& gradient = quantizer.get_quantizer_variable(expected.key)->gradient();
    require(static_cast<std::size_t>(gradient.size()) == expected.tolerance.size(), expected.key, ": ",
            expected.tolerance.size(), " tolerances for ", gradient.size(), " gradients");
    for (Index i = 0; i < gradient.size(); ++i) {
      const double got = static_cast<double>(gradient.data<float>()[i]);
      const double wanted = static_cast<double>(expected.gradient.data<float>()[i]);
      require(std::abs(got - wanted) <= expected.tolerance[static_cast<std::size_t>(i)], "gradient of ", expected.key,
              "[", i, "] is ", exact(got), ", expected ", exact(wanted), " within ",
              expected.tolerance[static_cast<std::size_t>(i)]);
    }
  }
}

/// Returns the converted quantizer as the reference has it, or null where conversion is refused on both sides.
InferablePtr check_conversion(Runner& runner, const TrainableCase& c, const BaseTrainableQuantizer& quantizer) {
  if (c.conversion.refused) {
    require(refuses([&] { quantizer.convert2inferable(); }), "conversion should be refused");
    return nullptr;
  }
  InferablePtr reference = with_reference_zero_point(*quantizer.convert2inferable());
  require(reference->type() == c.conversion.class_name, "converts to ", reference->type(), ", expected ",
          c.conversion.class_name);
  const Grid grid = reference->grid();
  if (!c.conversion.json.empty())
    require(grid == inferable_from_json(c.conversion.json)->grid(), "converted grid is ", grid);
  if (!c.conversion.scale.empty()) {
    compare_list("converted scale", as_doubles(grid.scale), as_floats(c.conversion.scale));
    compare_list("converted zero_point", as_doubles(grid.zero_point), c.conversion.zero_point);
  }
  // From 2^63 up the reference's conversion to an integer is undefined.
  runner.compare("converted output", (*reference)(c.x), c.conversion.output,
                 {beyond(c.x, grid, 0x1p62), clamped_in_float});
  return reference;
}

bool refused_on_purpose(const TrainableSpec& spec) {
  const BaseQuantizerConfig& config = spec.config();
  const bool floored = spec.weights && config.method == QuantizationMethod::POWER_OF_TWO;
  bool refused = config.n_bits < 1 || config.n_bits > 16;
  for (const auto& [key, values] : config.quantization_params)
    for (const double value : values.span<double>())
      refused = refused || !std::isfinite(value) || (key == "threshold" && (floored ? value < 0 : value <= 0));
  if (!config.quantization_params.contains("range_min") || !config.quantization_params.contains("range_max"))
    return refused;
  const auto min = config.param("range_min").span<double>(), max = config.param("range_max").span<double>();
  for (std::size_t i = 0; i < std::min(min.size(), max.size()); ++i) refused = refused || !(min[i] < max[i]);
  return refused;
}

void check_look_up(const TrainableCase& c) {
  const TrainableSpec& spec = c.quantizer;
  const QuantizationTarget target = spec.weights ? QuantizationTarget::Weights : QuantizationTarget::Activation;
  const auto& entry = get_trainable_quantizer_class(target, c.identifier, spec.config().method);
  require(entry.class_name == spec.class_name, "the class is ", entry.class_name, ", expected ", spec.class_name);
}

}  // namespace

void check_trainable(Runner& runner, const TrainableCase& c) {
  check_look_up(c);
  if (refused_on_purpose(c.quantizer)) expect_refusal([&] { construct(c.quantizer); }, refused_parameters);
  if (c.infinite_gradient_scale) expect_refusal([&] { construct(c.quantizer); }, one_bit_signed);

  const TrainablePtr quantizer = construct(c.quantizer);
  const bool weights = c.quantizer.weights;
  quantizer->initialize_quantization(weights ? std::optional(c.x.shape()) : std::nullopt, weights ? "w" : "act");
  check_variables(c, *quantizer);
  const InferablePtr converted = check_conversion(runner, c, *quantizer);

  Tape tape;
  const Variable x = tape.watch(c.x, "x");
  const Variable y = (*quantizer)(x, true);
  Exceptions saturating;
  if (converted) {
    const bool clamp_is_straight_through = c.identifier == "mct-ste";
    saturating = {beyond(c.x, converted->grid(), clamp_is_straight_through ? 0x1p23 : HUGE_VAL), saturating_clamp};
  }
  runner.compare("y", y.value(), c.y, saturating);
  if (c.special_values) return;
  tape.backward(y, c.dy);
  check_gradients_of(c, tape.gradient(x), *quantizer);
}

}  // namespace bitgrad::golden::detail
