// Robust summaries of repeated measurements.
#pragma once

#include <vector>

namespace bitgrad::cli {

/// Order statistics, interpolated linearly between neighbours.
struct Quantiles {
  double least = 0, p10 = 0, p25 = 0, median = 0, p75 = 0, p90 = 0, p95 = 0, most = 0;
};

/// StateError when there are no samples.
Quantiles quantiles(std::vector<double> samples);

}  // namespace bitgrad::cli
