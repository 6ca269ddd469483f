#include <bitgrad/cli/bench/quantiles.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

Quantiles quantiles(std::vector<double> samples) {
  if (samples.empty()) fail<StateError>("quantiles: there are no samples");
  std::ranges::sort(samples);
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(samples.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, samples.size() - 1);
    return samples[below] + (place - std::floor(place)) * (samples[above] - samples[below]);
  };
  return {.least = samples.front(),
          .p10 = at(0.1),
          .p25 = at(0.25),
          .median = at(0.5),
          .p75 = at(0.75),
          .p90 = at(0.9),
          .p95 = at(0.95),
          .most = samples.back()};
}

}  // namespace bitgrad::cli
