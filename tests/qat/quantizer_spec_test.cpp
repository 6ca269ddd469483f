#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("quantizer specs are read and written") {
  CHECK(parse_quantizer_spec("none") == std::nullopt);
  CHECK(*parse_quantizer_spec("lsq:4") == QuantizerSpec{.quantizer = "lsq", .bits = 4});
  CHECK(*parse_quantizer_spec("mct-ste:16:pot:per-tensor") ==
        QuantizerSpec{
            .quantizer = "mct-ste", .bits = 16, .method = QuantizationMethod::POWER_OF_TWO, .per_channel = false});
  CHECK(*parse_quantizer_spec("mct-lsq:2:per-tensor") ==
        QuantizerSpec{.quantizer = "mct-lsq", .bits = 2, .per_channel = false});
  CHECK(*parse_quantizer_spec("lsq:4:kl:per-tensor:pot") ==
        QuantizerSpec{.bits = 4,
                      .method = QuantizationMethod::POWER_OF_TWO,
                      .per_channel = false,
                      .calibration = Calibration{CalibrationMethod::kl}});
  CHECK(parse_quantizer_spec("lsq:4:percentile=99.5")->calibration == Calibration{CalibrationMethod::percentile, 99.5});
  CHECK(parse_quantizer_spec("lsq:4:percentile")->calibration == Calibration{CalibrationMethod::percentile, 99.99});
  for (const char* text : {"none", "lsq:1", "mct-lsq:8:uniform", "mct-ste:3:pot", "lsq:4:uniform:per-tensor",
                           "lsq-pot:8:pot", "lsq:4:symmetric", "lsq:4:mse", "lsq:2:pot:minmax",
                           "lsq:4:per-tensor:percentile", "lsq:4:percentile=99.9", "mct-ste:4:uniform:per-tensor:kl"})
    CHECK(to_string(parse_quantizer_spec(text)) == text);
  CHECK(parse_quantizer_spec("lsq:4:symmetric")->method == QuantizationMethod::SYMMETRIC);
}

TEST_CASE("a method that nobody names is the quantizer's own") {
  constexpr auto weights = QuantizationTarget::Weights, activation = QuantizationTarget::Activation;
  const auto method = [](const char* text, QuantizationTarget target) {
    return method_of(*parse_quantizer_spec(text), target);
  };
  CHECK(method("lsq:4", weights) == QuantizationMethod::SYMMETRIC);
  CHECK(method("mct-ste:4", activation) == QuantizationMethod::SYMMETRIC);
  CHECK(method("lsq-pot:4", weights) == QuantizationMethod::POWER_OF_TWO);
  CHECK(method("lsq-plus:4", weights) == QuantizationMethod::SYMMETRIC);
  CHECK(method("lsq-plus:4", activation) == QuantizationMethod::UNIFORM);
  CHECK(method("lsq-plus:4:uniform", weights) == QuantizationMethod::UNIFORM);
  CHECK_THROWS_WITH(method("dqa:4", activation), Contains("no trainable quantizer for Activation \"dqa\""));
}

TEST_CASE("a wrong quantizer spec names the part that is wrong") {
  CHECK_THROWS_WITH(parse_quantizer_spec("lqs:4"),
                    Contains("unknown quantizer \"lqs\"") && Contains("did you mean \"lsq\"?"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq"), Contains("expected NAME:BITS"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:0"), Contains("bits are \"0\", expected a number from 1 to 16"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:17"), Contains("bits are \"17\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4x"), Contains("bits are \"4x\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:unifrom"),
                    Contains("unknown option \"unifrom\"") && Contains("\"uniform\"?"));
  CHECK_THROWS_WITH(parse_quantizer_spec("none:4"), Contains("expected NAME:BITS"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:pot:uniform"), Contains("has both \"pot\" and \"uniform\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:pot:pot"), Contains("has both \"pot\" and \"pot\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:mse:kl"), Contains("has both \"mse\" and \"kl\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:per-tensor:per-tensor"), Contains("has both"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:per-tensor=1"), Contains("unknown option \"per-tensor=1\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:minmex"),
                    Contains("unknown option \"minmex\" (did you mean \"minmax\"?"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:"), Contains("unknown option \"\""));
}

TEST_CASE("calibration methods by name") {
  for (const char* text : {"mse", "minmax", "percentile", "percentile=99.9", "percentile=100", "kl"})
    CHECK(to_string(parse_calibration(text)) == text);
  CHECK(to_string(parse_calibration("percentile=99.99")) == "percentile");
  CHECK_THROWS_WITH(parse_calibration("entropy"), Contains("unknown calibration method \"entropy\""));
  CHECK_THROWS_WITH(parse_calibration("kl=3"), Contains("only percentile takes a number"));
  for (const char* wrong :
       {"percentile=", "percentile=x", "percentile=50", "percentile=100.1", "percentile=nan", "percentile=99.9%"})
    CHECK_THROWS_WITH(parse_calibration(wrong), Contains("above 50, at most 100"));
}
