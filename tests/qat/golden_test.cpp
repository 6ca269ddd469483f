// Golden vectors with the cases that need layers: end to end, and wrappers that must be refused.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

#include <bitgrad/qat/golden/check_all.hpp>

using namespace bitgrad;
using namespace bitgrad::golden;

namespace {

const std::string committed = BITGRAD_TEST_DIR "/golden";

/// The only outcome of a manifest with this case alone.
Outcome outcome_of(const EndToEndCase& c) {
  Manifest manifest;
  manifest.end_to_end.push_back(c);
  const Report report = check_golden(manifest);
  REQUIRE(report.outcomes.size() == 1);
  return report.outcomes[0];
}

Tensor nudged(const Tensor& tensor, float by) {
  Tensor result = tensor.clone();
  result.data<float>()[0] += by;
  return result;
}

}  // namespace

TEST_CASE("the committed golden vectors pass end to end") {
  const Manifest manifest = read_manifest(committed);
  const Report report = check_golden(manifest);
  INFO(report.describe());
  CHECK(report.count(Verdict::failed) == 0);
  const auto passed = [&](std::string_view start) {
    return std::count_if(report.outcomes.begin(), report.outcomes.end(), [&](const Outcome& outcome) {
      return outcome.id.starts_with(start) && outcome.verdict == Verdict::passed;
    });
  };
  CHECK(manifest.end_to_end.size() == 4);
  CHECK(passed("e2e_") == 4);
  for (int i = 144; i <= 149; ++i) CHECK(passed("ill_" + std::to_string(i)) == 1);
}

TEST_CASE("golden vectors of any directory: BITGRAD_GOLDEN_DIR") {
  const char* directory = std::getenv("BITGRAD_GOLDEN_DIR");
  if (!directory) {
    WARN("skipped: BITGRAD_GOLDEN_DIR is not set");
    return;
  }
  const Report report = check_golden(read_manifest(directory));
  INFO(report.describe());
  CHECK(report.count(Verdict::failed) == 0);
  CHECK(report.count(Verdict::passed) > 0);
}

TEST_CASE("an end-to-end case fails for every number that differs") {
  const Manifest manifest = read_manifest(committed);
  for (const EndToEndCase& golden : manifest.end_to_end) {
    CAPTURE(golden.id);
    REQUIRE(outcome_of(golden).verdict == Verdict::passed);
    const auto fails = [&](std::string_view text, auto change) {
      EndToEndCase c = golden;
      change(c);
      const Outcome outcome = outcome_of(c);
      CAPTURE(outcome.detail, text);
      CHECK(outcome.verdict == Verdict::failed);
      CHECK(outcome.detail.find(text) != std::string::npos);
    };
    fails("y[0] is", [](EndToEndCase& c) { c.y = nudged(c.y, 1e-3F); });
    fails("dx[0] is", [](EndToEndCase& c) { c.dx = nudged(c.dx, 1e-2F); });
    fails("gradient of wrapper.weight[0]", [](EndToEndCase& c) { c.param_grads = nudged(c.param_grads, 1e-2F); });
    fails("trained wrapper.weight[0]", [](EndToEndCase& c) { c.final_params = nudged(c.final_params, 1e-2F); });
    fails("loss[1]", [](EndToEndCase& c) { c.losses[1] *= 1.001; });
    fails("trained", [](EndToEndCase& c) {
      c.learning_rate *= 1.1;
      c.losses.resize(1);
    });
    fails("converted output[0]",
          [](EndToEndCase& c) { c.output_after_conversion = nudged(c.output_after_conversion, 1e-3F); });
    fails("converts to", [](EndToEndCase& c) { c.converted_weight.class_name = "Other"; });
    fails("parameters learn", [](EndToEndCase& c) { c.parameters.pop_back(); });
    fails("there is no parameter", [](EndToEndCase& c) { c.parameters[0].name = "wrapper.layer.scale"; });
    fails("wrapper.weight", [](EndToEndCase& c) { c.parameters[1].init[0] *= 1.0000002; });
    if (golden.converted_weight.threshold.empty())
      fails("weight: scale[0]", [](EndToEndCase& c) { c.converted_weight.scale[0] *= 1.01; });
    else
      fails("weight: threshold[0]", [](EndToEndCase& c) { c.converted_weight.threshold[0] *= 1.01; });
  }
}

TEST_CASE("a kind of illegal wrapper that nobody knows is a failure") {
  Manifest manifest;
  manifest.illegal.push_back({.id = "ill_1", .kind = IllegalCase::Kind::wrapper, .what = "something else"});
  CHECK(check_golden(manifest).count(Verdict::failed) == 1);
}
