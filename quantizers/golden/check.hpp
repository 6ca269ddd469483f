// Compares bitgrad's quantizers with golden vectors, to the bit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <bitgrad/quantizers/golden/manifest.hpp>

namespace bitgrad::golden {

enum class Verdict { passed, failed, skipped };

struct Outcome {
  std::string id;
  Verdict verdict = Verdict::passed;
  std::string detail;  ///< the first difference, or why the case was skipped
};

struct Report {
  std::vector<Outcome> outcomes;
  /// Elements left out of passed cases, by the documented departure that is the reason.
  std::map<std::string, Index> skipped_elements;

  Index count(Verdict verdict) const;
  /// One line for each failed case, then what was skipped and why, then "N passed, N failed, N skipped".
  std::string describe() const;
};

/// Runs every case of the manifest but those that need layers: end-to-end cases and illegal wrappers, which
/// check_golden() of qat/golden/check_all.hpp adds. Values are compared bit for bit (zeros of either sign are equal,
/// NaN equals NaN), gradients with the tolerances of the manifest. Only what quantizers/README.md lists as a departure
/// is left out, always after a look at what bitgrad does instead:
/// - cases with thresholds, ranges or bits that bitgrad refuses, which must throw;
/// - 1 bit signed with an infinite gradient scale, which must throw;
/// - calls with a negative axis, which must give what the axis counted from the front gives;
/// - elements that the reference leaves to the processor, infinities, NaN and, for straight-through clamps, levels from
///   2^23 up;
/// - gradients of cases with such special inputs.
/// Uniform weights are run with the reference's truncated zero point; of bitgrad's rounded one the zero points are
/// compared.
Report check_quantizers(const Manifest& manifest);

}  // namespace bitgrad::golden
