#include <algorithm>

#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad::golden::detail {
namespace {

/// The ranges of uniform quantizers after the move that puts zero on the grid.
void check_adjusted_ranges(const InferableCase& c) {
  const Node arguments = Node::parse(c.json, c.id);
  const std::vector<double> min = arguments.at("min_range").numbers(), max = arguments.at("max_range").numbers();
  const int bits = arguments.at("num_bits").integer(1, 16);
  require(!min.empty() && !max.empty(), "a range without numbers");
  std::vector<double> low, high;
  for (std::size_t i = 0; i < std::max(min.size(), max.size()); ++i) {
    const auto range = adjust_range_to_include_zero(static_cast<float>(min[std::min(i, min.size() - 1)]),
                                                    static_cast<float>(max[std::min(i, max.size() - 1)]), bits);
    low.push_back(static_cast<double>(range.min));
    high.push_back(static_cast<double>(range.max));
  }
  compare_list("min_range", low, as_floats(c.min_range));
  compare_list("max_range", high, as_floats(c.max_range));
}

void check_grid(const InferableCase& c, const Grid& grid, const Grid& rounded) {
  compare_list("scale", as_doubles(grid.scale), as_floats(c.scale));
  compare_list("zero_point", as_doubles(grid.zero_point), c.zero_point);
  require(grid.lo == *c.lo && grid.hi == *c.hi, "bounds are ", grid.lo, "..", grid.hi, ", expected ", *c.lo, "..",
          *c.hi);
  if (!c.zero_point_if_rounded.empty())
    compare_list("rounded zero_point", as_doubles(rounded.zero_point), c.zero_point_if_rounded);
}

}  // namespace

void check_inferable(Runner& runner, const InferableCase& c) {
  InferablePtr quantizer;
  const Refusal refusal = refused_on_purpose(c.json);
  if (refusal == Refusal::must) expect_refusal([&] { construct(c.json); }, refused_parameters);
  if (refusal == Refusal::might && refuses([&] { construct(c.json); })) throw Skip{refused_parameters};
  quantizer = construct(c.json);
  Exceptions platform{std::vector<char>(static_cast<std::size_t>(c.input.size())), clamped_in_float};
  for (const Index i : c.platform_defined) platform.excepted[static_cast<std::size_t>(i)] = 1;

  const InferablePtr reference = with_reference_zero_point(*quantizer);
  if (c.lo && c.hi) check_grid(c, reference->grid(), quantizer->grid());
  if (!c.min_range.empty()) check_adjusted_ranges(c);
  runner.compare("output", (*reference)(c.input), c.output, platform);
}

}  // namespace bitgrad::golden::detail
