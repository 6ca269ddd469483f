#include <catch2/catch.hpp>

#include <fstream>
#include <map>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/quantizers/golden/check.hpp>
#include <bitgrad/quantizers/golden/detail/compare.hpp>

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
  std::map<std::string, int> reasons;
  for (const Outcome& outcome : report.outcomes)
    if (outcome.verdict == Verdict::skipped) ++reasons[outcome.detail.substr(0, outcome.detail.find(':'))];
  CHECK(reasons == std::map<std::string, int>{{"departure 2", 10}, {"departure 6", 3}, {"departure 8", 1}});
  CHECK(report.count(Verdict::passed) == 355);
  Index elements = 0;
  for (const auto& [reason, count] : report.skipped_elements) {
    CHECK_THAT(reason, Catch::StartsWith("departure 1:"));
    elements += count;
  }
  CHECK(elements == 59);
}

TEST_CASE("codes are the levels of the reference's outputs, but where multiplying and dividing differ") {
  Index compared = 0;
  for (const InferableCase& c : read_manifest(committed).inferable) {
    if (golden::detail::refused_on_purpose(c.json) != golden::detail::Refusal::no) continue;
    CAPTURE(c.id);
    const InferablePtr quantizer = golden::detail::with_reference_zero_point(*golden::detail::construct(c.json));
    std::vector<char> excepted(static_cast<std::size_t>(c.input.size()));
    for (const auto* list : {&c.ulp_sensitive, &c.platform_defined})
      for (const Index i : *list) excepted[static_cast<std::size_t>(i)] = 1;
    Tensor x = c.input.clone();  // NaN has no code
    for (float& value : x.span<float>()) value = std::isnan(value) ? 0 : value;
    const Tensor y = quantizer->dequantize(quantizer->codes(x));
    for (Index i = 0; i < x.size(); ++i) {
      if (excepted[static_cast<std::size_t>(i)]) continue;
      CHECK(y.data<float>()[i] == c.output.data<float>()[i]);
      ++compared;
    }
  }
  CHECK(compared > 5000);
}

TEST_CASE("every recorded quantizer goes through JSON to the same outputs") {
  for (const InferableCase& c : read_manifest(committed).inferable) {
    if (golden::detail::refused_on_purpose(c.json) != golden::detail::Refusal::no) continue;
    CAPTURE(c.id);
    const InferablePtr quantizer = golden::detail::construct(c.json);
    const InferablePtr back = inferable_from_json(quantizer->to_json());
    CHECK(back->to_json() == quantizer->to_json());
    CHECK(identical((*back)(c.input), (*quantizer)(c.input)));
    CHECK(back->describe() == quantizer->describe());
    CHECK(quantizer->describe().find('\n') == std::string::npos);
  }
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
  fails(lsq, "expected OtherClass", [](Manifest& m) { m.trainable[0].quantizer.class_name = "OtherClass"; });
}

TEST_CASE("look-ups, tables, constructions and annealings are compared as well") {
  Manifest manifest = read_manifest(committed);
  const auto failures = [&] {
    std::vector<std::string> details;
    for (const Outcome& outcome : check_quantizers(manifest).outcomes)
      if (outcome.verdict == Verdict::failed) details.push_back(outcome.detail);
    return details;
  };
  manifest.inferable.clear();
  manifest.trainable.clear();
  REQUIRE(failures().empty());
  manifest.lookups[0].class_name = "Other";
  manifest.annealing[0].value[2] += 1e-7;
  manifest.annealing.back().t_end = 1;  // no longer illegal
  manifest.annealing.back().t_start = 0;
  manifest.powers_of_two[0].result[1] *= 2;
  manifest.ranges[0].adjusted_max[0] += 1e-7;
  manifest.legal[0].json =
      R"({"class":"WeightsPOTInferableQuantizer","num_bits":4,"threshold":[3],"per_channel":false})";
  for (auto& c : manifest.illegal) {
    if (c.id == "ill_011")
      c.json = R"({"class":"ActivationPOTInferableQuantizer","num_bits":4,"threshold":[2],"signed":true})";
    if (c.id == "ill_116") c.quantizer.weights_config.method = QuantizationMethod::SYMMETRIC;
    if (c.id == "ill_140") c.what = "";
    if (c.id == "ill_106") c.input_shape = Shape{2, 2};
  }
  std::string all;
  for (const std::string& detail : failures()) all += detail + '\n';
  for (const char* expected :
       {"expected Other", "value[2] is 3.4000", "not refused\n", "power of two[1] is 2, expected 4", "adjusted max[0]",
        "expected a power of two", "not refused: threshold is not a power of two", "not refused: method not among",
        "not refused when called: variable lookup", "not refused when called: number of thresholds"})
    CHECK_THAT(all, Catch::Contains(expected));
  CHECK(failures().size() == 10);
}

TEST_CASE("a report has one line for each failed case and closes on the counts") {
  Report report;
  report.outcomes = {{"a", Verdict::passed, ""},
                     {"b", Verdict::failed, "output[3] is 1, expected 2"},
                     {"c", Verdict::skipped, "why"},
                     {"d", Verdict::skipped, "why"}};
  report.skipped_elements["elsewhere"] = 1;
  CHECK(report.describe() ==
        "FAILED b: output[3] is 1, expected 2\nskipped 2 cases, why: c d\nskipped 1 element, elsewhere\n1 passed, 1 "
        "failed, 2 skipped\n");
}

namespace {

/// A copy of the committed vectors that one test may spoil.
class Spoiled {
 public:
  Spoiled() { std::filesystem::copy(committed, directory_.path() / "golden"); }
  std::filesystem::path operator/(const std::string& name) const { return directory_.path() / "golden" / name; }
  void expect(const std::string& text, const std::string& more = "") const {
    CHECK_THROWS_WITH(read_manifest(*this / ""), Catch::Contains(text) && Catch::Contains(more));
  }

 private:
  support::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("directories that are no golden vectors") {
  const support::TemporaryDirectory directory;
  CHECK_THROWS_AS(read_manifest(directory.path() / "absent"), IoError);
  std::ofstream(directory.path() / "manifest.json") << "{\"format_version\": 2}";
  CHECK_THROWS_WITH(read_manifest(directory.path()), Catch::Contains("format_version 1"));
  std::ofstream(directory.path() / "manifest.json") << R"({"format_version": 1, "inferable_cases": [{"id": "inf_x"}]})";
  CHECK_THROWS_WITH(read_manifest(directory.path()),
                    Catch::Contains("inferable_cases: inf_x") && Catch::Contains("\"derived\" is missing"));
}

TEST_CASE("files that are missing, truncated or of another shape are named") {
  const std::string output = read_manifest(committed).inferable.empty() ? "" : "out_001.npy";
  {
    const Spoiled golden;
    std::filesystem::remove(golden / output);
    golden.expect(output, "inferable_cases: inf_001: output");
  }
  {
    const Spoiled golden;
    std::filesystem::resize_file(golden / output, std::filesystem::file_size(golden / output) - 2);
    golden.expect(output, "inf_001");
  }
  {
    const Spoiled golden;
    io::write_npy(golden / output, Tensor::zeros({1, 3}));
    golden.expect(output, "shape (1, 3), expected a stack of");
  }
  {
    const Spoiled golden;
    io::write_npy(golden / "in_001.npy", Tensor::zeros({40}, DType::float64));
    golden.expect("in_001.npy", "float64, expected float32");
  }
  {
    const Spoiled golden;
    std::filesystem::resize_file(golden / "manifest.json", 5000);
    golden.expect("manifest.json: not JSON: ");
  }
  {
    const Spoiled golden;
    std::filesystem::remove(golden / "manifest.json");
    CHECK_THROWS_WITH(read_manifest(golden / ""), Catch::Contains("manifest.json"));
  }
}

TEST_CASE("numbers of a manifest that no case can have are refused when it is read") {
  const auto refused = [](const std::string& lists, const std::string& reason) {
    const auto read = [](const std::filesystem::path&) { return Tensor::zeros({2}); };
    CHECK_THROWS_WITH(parse_manifest("{\"format_version\": 1, " + lists + "}", "DIR", read), Catch::Contains(reason));
  };
  const auto range = [](const std::string& bits, const std::string& max) {
    return R"("range_adjust": [{"impl": "numpy_float32", "min": [0, 1], "adj_min": [0, 1], "adj_max": [0, 1], "n_bits": )" +
           bits + R"(, "max": )" + max + "}]";
  };
  refused(range("40", "[2, 3]"), "n_bits: is 40, expected an integer from 1 to 16");
  refused(range("4294967304", "[2, 3]"), "n_bits: is 4294967304, expected an integer from 1 to 16");
  refused(range("18446744073709551615", "[2, 3]"), "expected an integer of 64 bits");
  refused(range("8", "[2]"), "max: is [2], expected 2 numbers, as \"min\" has");
  refused(R"("lookups": )" + std::string(100, '['), "nested deeper than 32 levels");
  const auto illegal = [](const std::string& shape) {
    return R"("illegal": [{"id": "ill_1", "kind": "wrapper", "stage": "call", "gist": "", "input_shape": )" + shape +
           "}]";
  };
  refused(illegal("[1000000, 1000000]"), "expected a shape of at most");
  refused(illegal("[-1]"), "is [-1], expected a shape of at most");
  for (const char* name : {"../in.npy", "/etc/in.npy", "a/../../in.npy"})
    refused(message(R"("inferable_cases": [{"id": "inf_1", "class": "C", "params": {}, "derived": {}, "shape": [2], )",
                    R"("input": ")", name, "\"}]"),
            "expected a file in the manifest's directory");
}
