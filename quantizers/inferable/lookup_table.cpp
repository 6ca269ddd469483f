#include <bitgrad/quantizers/inferable/lookup_table.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/quantizers/detail/channels.hpp>
#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>

namespace bitgrad {
namespace {

constexpr Index elements_per_chunk = 4096;

void check_entries(const std::vector<double>& values, int num_bits, int bitwidth, bool is_signed,
                   std::string_view type) {
  const double m = std::ldexp(1, is_signed ? bitwidth - 1 : bitwidth);
  const double lowest = is_signed ? -m : 0, highest = is_signed ? m - 1 : m;  // the reference allows 2^B unsigned
  if (values.empty()) fail<ValueError>(type, ": lut_values is empty, expected at least one entry");
  for (const double value : values)
    if (!(value >= lowest && value <= highest) || value != std::nearbyint(value))
      fail<ValueError>(type, ": lut_values has ", value, ", expected whole numbers from ", lowest, " to ", highest,
                       " (lut_values_bitwidth is ", bitwidth, is_signed ? ", signed)" : ", unsigned)");
  const std::size_t different = std::set<double>(values.begin(), values.end()).size();
  if (different > std::size_t{1} << num_bits)
    fail<ValueError>(type, ": lut_values has ", different,
                     " different entries, expected at most 2^num_bits = ", std::size_t{1} << num_bits);
}

/// The position of the first entry with the smallest distance, all in float32 as in the reference.
std::size_t nearest(const std::vector<float>& levels, float v) {
  std::size_t best = 0;
  float smallest = std::abs(v - levels[0]);
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const float distance = std::abs(v - levels[i]);
    if (distance < smallest) {
      smallest = distance;
      best = i;
    }
  }
  return best;
}

}  // namespace

LutInferableQuantizer::LutInferableQuantizer(const detail::LutEntries& entries,
                                             std::vector<detail::LutThreshold> thresholds,
                                             std::optional<int> channel_axis, std::string_view type)
    : num_bits_(entries.num_bits), thresholds_(std::move(thresholds)) {
  detail::check_bits(entries.num_bits, type);
  if (entries.bitwidth < 1 || entries.bitwidth > 16)
    fail<ValueError>(type, ": lut_values_bitwidth is ", entries.bitwidth, ", expected 1 to 16");
  if (entries.num_bits > entries.bitwidth)
    fail<ValueError>(type, ": num_bits is ", entries.num_bits, ", expected at most lut_values_bitwidth, which is ",
                     entries.bitwidth);
  check_entries(entries.values, entries.num_bits, entries.bitwidth, entries.is_signed, type);
  table_ = {entries.bitwidth, entries.is_signed, {}, {}, channel_axis};
  table_.entries.assign(entries.values.begin(), entries.values.end());
  levels_.assign(entries.values.begin(), entries.values.end());
  const int exponent = entries.is_signed ? entries.bitwidth - 1 : entries.bitwidth;
  for (std::size_t c = 0; c < thresholds_.size(); ++c) {
    const float t = thresholds_[c].value, scale = std::ldexp(t, -exponent);
    if (!std::isfinite(t) || !(scale > 0))
      fail<ValueError>(type, ": threshold ", c, " is ", t, " in float32, expected a finite positive number with a ",
                       "float32 step");
    table_.scale.push_back(scale);
  }
}

/// Calls `store(element, threshold, position of its entry)`, or with no position for NaN.
template <class Store>
void LutInferableQuantizer::quantize(const Tensor& x, Store store) const {
  const auto layout = channel_layout(x.shape(), table_.channel_axis, static_cast<Index>(thresholds_.size()), type());
  const float* values = x.data<float>();
  const float m = std::ldexp(1.0F, table_.is_signed ? table_.bits - 1 : table_.bits);
  const float lo = table_.is_signed ? -m : 0, hi = m - 1;
  parallel_for(x.size(), elements_per_chunk, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const detail::LutThreshold& t = thresholds_[static_cast<std::size_t>(i / layout.inner % layout.channels)];
      const float v = std::clamp(values[i] / t.with_epsilon * m, lo, hi);
      store(i, t, std::isnan(v) ? std::nullopt : std::optional(nearest(levels_, v)));
    }
  });
}

Tensor LutInferableQuantizer::operator()(const Tensor& x) const {
  Tensor y(x.shape());
  float* out = y.data<float>();
  const float m = std::ldexp(1.0F, table_.is_signed ? table_.bits - 1 : table_.bits);
  quantize(x, [&](Index i, const detail::LutThreshold& t, std::optional<std::size_t> entry) {
    out[i] = entry ? levels_[*entry] / m * t.value : std::numeric_limits<float>::quiet_NaN();
  });
  return y;
}

Tensor LutInferableQuantizer::codes(const Tensor& x) const {
  Tensor codes(x.shape(), DType::int32);
  std::int32_t* out = codes.data<std::int32_t>();
  quantize(x, [&](Index i, const detail::LutThreshold&, std::optional<std::size_t> entry) {
    if (!entry) fail<ValueError>(type(), ": element ", i, " is NaN, which has no integer code");
    out[i] = table_.entries[*entry];
  });
  return codes;
}

Tensor LutInferableQuantizer::dequantize(const Tensor& codes) const {
  const auto layout =
      channel_layout(codes.shape(), table_.channel_axis, static_cast<Index>(thresholds_.size()), type());
  const std::set<std::int32_t> known(table_.entries.begin(), table_.entries.end());
  Tensor y(codes.shape());
  for (Index i = 0; i < codes.size(); ++i) {
    const std::int32_t code = codes.data<std::int32_t>()[i];
    if (!known.contains(code))
      fail<ValueError>(type(), ": element ", i, " has the code ", code, ", which is no entry of the table");
    const auto channel = static_cast<std::size_t>(i / layout.inner % layout.channels);
    y.data<float>()[i] = static_cast<float>(code) * table_.scale[channel];
  }
  return y;
}

std::vector<Departure> LutInferableQuantizer::departures() const {
  if (std::ranges::find(table_.entries, 0) != table_.entries.end()) return {};
  return {{Property::zero, "the table has no entry 0"}};
}

namespace detail {

void check_epsilon(double eps, std::string_view type) {
  if (!std::isfinite(eps) || eps < 0)
    fail<ValueError>(type, ": eps is ", eps, ", expected a finite number that is not negative");
}

std::string table_text(const std::vector<double>& values, int bitwidth) {
  return message(short_list(values), " of ", bitwidth, " bits");
}

}  // namespace detail
}  // namespace bitgrad
