#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/golden/check.hpp>

#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::golden;

namespace {

const std::string committed = BITGRAD_TEST_DIR "/golden";

void require_no_failure(const Report& report) {
  for (const Outcome& outcome : report.outcomes) {
    INFO(outcome.id << ": " << outcome.detail);
    CHECK(outcome.verdict != Verdict::failed);
  }
}

Index skipped_because(const Report& report, std::string_view text) {
  return std::count_if(report.outcomes.begin(), report.outcomes.end(), [&](const Outcome& outcome) {
    return outcome.verdict == Verdict::skipped && outcome.detail.find(text) != std::string::npos;
  });
}

/// The verdict on one case after something in it was changed.
template <class Change>
Outcome verdict_on(const std::string& id, Change change) {
  Manifest all = read_manifest(committed), one;
  for (auto& c : all.inferable)
    if (c.id == id) one.inferable.push_back(c);
  for (auto& c : all.trainable)
    if (c.id == id) one.trainable.push_back(c);
  REQUIRE(one.inferable.size() + one.trainable.size() == 1);
  change(one);
  const Report report = check_quantizers(one);
  REQUIRE(report.outcomes.size() == 1);
  return report.outcomes[0];
}

}  // namespace

TEST_CASE("the committed golden vectors pass, and only documented departures are left out") {
  const Report report = check_quantizers(read_manifest(committed));
  require_no_failure(report);
  // Counted, so that nothing can be skipped unnoticed.
  CHECK(report.count(Verdict::passed) == 168);
  CHECK(report.count(Verdict::skipped) == skipped_because(report, "LUT") + skipped_because(report, "Lut") +
                                              skipped_because(report, "finite and positive") +
                                              skipped_because(report, "1 bit signed"));
  CHECK(skipped_because(report, "finite and positive") == 4);
  CHECK(skipped_because(report, "1 bit signed") == 1);
  Index elements = 0;
  for (const auto& [reason, count] : report.skipped_elements) elements += count;
  CHECK(elements == 57);
}

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

TEST_CASE("the comparison sees every kind of difference") {
  const Manifest manifest = read_manifest(committed);
  const auto first = [](const auto& cases, auto keep) {
    const auto found = std::find_if(cases.begin(), cases.end(), keep);
    REQUIRE(found != cases.end());
    return found->id;
  };
  const std::string inferable = first(
      manifest.inferable, [](const InferableCase& c) { return c.class_name == "WeightsUniformInferableQuantizer"; });
  const std::string lsq = first(manifest.trainable, [](const TrainableCase& c) {
    return c.identifier == "mct-lsq" && !c.special_values && !c.conversion.refused;
  });
  const auto fails = [](const std::string& id, std::string_view text, auto change) {
    const Outcome outcome = verdict_on(id, change);
    CAPTURE(id, outcome.detail, text);
    CHECK(outcome.verdict == Verdict::failed);
    CHECK(outcome.detail.find(text) != std::string::npos);
  };
  const auto nudge = [](Tensor& t) {
    t = t.clone();
    t.data<float>()[0] = std::nextafter(t.data<float>()[0], 1e9F);
  };
  CHECK(verdict_on(inferable, [](Manifest&) {}).verdict == Verdict::passed);
  CHECK(verdict_on(lsq, [](Manifest&) {}).verdict == Verdict::passed);
  fails(inferable, "output[0]", [&](Manifest& m) { nudge(m.inferable[0].output); });
  fails(inferable, "scale[0]", [](Manifest& m) { m.inferable[0].scale[0] *= 1.0000002; });
  fails(inferable, "zero_point[0]", [](Manifest& m) { m.inferable[0].zero_point[0] += 1; });
  fails(inferable, "rounded zero_point[0]", [](Manifest& m) { m.inferable[0].zero_point_if_rounded[0] += 1; });
  fails(lsq, "y[0]", [&](Manifest& m) { nudge(m.trainable[0].y); });
  fails(lsq, "dx[0]", [](Manifest& m) {
    m.trainable[0].dx = m.trainable[0].dx.clone();
    m.trainable[0].dx.data<float>()[0] += 1e-4F;
  });
  fails(lsq, "gradient of", [](Manifest& m) {
    Tensor& gradient = m.trainable[0].variables[0].gradient;
    gradient = gradient.clone();
    gradient.data<float>()[0] += 1;
  });
  fails(lsq, "registered as", [](Manifest& m) { m.trainable[0].variables[0].registered_as = "other"; });
  fails(lsq, "converted output[0]", [&](Manifest& m) { nudge(m.trainable[0].conversion.output); });
  fails(lsq, "conversion should be refused", [](Manifest& m) { m.trainable[0].conversion.refused = true; });
  fails(lsq, "expected OtherClass", [](Manifest& m) { m.trainable[0].class_name = "OtherClass"; });
}

TEST_CASE("directories that are no golden vectors") {
  const support::TemporaryDirectory directory;
  CHECK_THROWS_AS(read_manifest(directory.path() / "absent"), IoError);
  std::ofstream(directory.path() / "manifest.json") << "{\"format_version\": 2}";
  CHECK_THROWS_WITH(read_manifest(directory.path()), Catch::Contains("format_version 1"));
  std::ofstream(directory.path() / "manifest.json") << R"({"format_version": 1, "inferable_cases": [{"id": "inf_x"}]})";
  CHECK_THROWS_WITH(read_manifest(directory.path()), Catch::Contains("inferable_cases") && Catch::Contains("inf_x"));
}
