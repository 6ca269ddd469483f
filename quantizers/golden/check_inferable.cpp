#include <algorithm>

#include <bitgrad/quantizers/golden/detail/compare.hpp>

namespace bitgrad::golden::detail {
namespace {

bool refused_on_purpose(const InferableCase& c) {
  const bool uniform = c.class_name.find("Uniform") != std::string::npos;
  return c.num_bits > 16 || std::any_of(c.parameters.begin(), c.parameters.end(), [&](double value) {
           return !std::isfinite(value) || (!uniform && value <= 0);
         });
}

}  // namespace

void check_inferable(Runner& runner, const InferableCase& c) {
  if (!registered(c.class_name)) throw Skip{"no class " + c.class_name};
  if (refused_on_purpose(c))
    expect_refusal([&] { inferable_from_json(c.json); }, "thresholds must be finite and positive, bits at most 16");
  const InferablePtr quantizer = inferable_from_json(c.json);
  Exceptions platform{std::vector<char>(static_cast<std::size_t>(c.input.size())), clamped_in_float};
  for (const Index i : c.platform_defined) platform.excepted.at(static_cast<std::size_t>(i)) = 1;

  const InferablePtr reference = with_reference_zero_point(*quantizer);
  runner.compare("output", (*reference)(c.input), c.output, platform);
  if (!c.lo) return;  // a table, no grid
  const Grid grid = reference->grid();
  compare_list("scale", as_doubles(grid.scale), as_floats(c.scale));
  compare_list("zero_point", as_doubles(grid.zero_point), c.zero_point);
  require(grid.lo == *c.lo && grid.hi == *c.hi, "bounds are ", grid.lo, "..", grid.hi, ", expected ", *c.lo, "..",
          *c.hi);
  if (!c.zero_point_if_rounded.empty())
    compare_list("rounded zero_point", as_doubles(quantizer->grid().zero_point), c.zero_point_if_rounded);
}

}  // namespace bitgrad::golden::detail
