#include <catch2/catch.hpp>

#include <cstdlib>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/quantizers/golden/check.hpp>

using namespace bitgrad;
using namespace bitgrad::golden;

namespace {

void require_no_failure(const Report& report) {
  for (const Outcome& outcome : report.outcomes) {
    INFO(outcome.id << ": " << outcome.detail);
    CHECK(outcome.verdict != Verdict::failed);
  }
}

}  // namespace

TEST_CASE("golden vectors of any directory: BITGRAD_GOLDEN_DIR") {
  const char* directory = std::getenv("BITGRAD_GOLDEN_DIR");
  if (!directory) {
    WARN("skipped: BITGRAD_GOLDEN_DIR is not set");
    return;
  }
  const Report report = check_quantizers(read_manifest(directory));
  require_no_failure(report);
  for (const Outcome& outcome : report.outcomes)
    if (outcome.verdict == Verdict::skipped) UNSCOPED_INFO("skipped " << outcome.id << ": " << outcome.detail);
  for (const auto& [reason, count] : report.skipped_elements) UNSCOPED_INFO(count << " elements skipped: " << reason);
  UNSCOPED_INFO(report.count(Verdict::passed) << " passed, " << report.count(Verdict::failed) << " failed, "
                                              << report.count(Verdict::skipped) << " skipped");
  CHECK(report.count(Verdict::passed) > 0);
}
