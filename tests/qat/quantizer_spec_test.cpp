#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("quantizer specs are read and written") {
  CHECK(parse_quantizer_spec("none") == std::nullopt);
  CHECK(*parse_quantizer_spec("lsq:4") == QuantizerSpec{.quantizer = "lsq", .bits = 4});
  CHECK(*parse_quantizer_spec("mct-ste:16:pot:per-tensor") ==
        QuantizerSpec{.quantizer = "mct-ste", .bits = 16, .method = QuantizationMethod::POWER_OF_TWO, .per_channel = false});
  CHECK(*parse_quantizer_spec("mct-lsq:2:per-tensor") == QuantizerSpec{.quantizer = "mct-lsq", .bits = 2, .per_channel = false});
  for (const char* text : {"none", "lsq:1", "mct-lsq:8:uniform", "mct-ste:3:pot", "lsq:4:uniform:per-tensor"})
    CHECK(to_string(parse_quantizer_spec(text)) == text);
  CHECK(to_string(parse_quantizer_spec("lsq:4:symmetric")) == "lsq:4");
}

TEST_CASE("a wrong quantizer spec names the part that is wrong") {
  CHECK_THROWS_WITH(parse_quantizer_spec("lqs:4"), Contains("unknown quantizer \"lqs\"") && Contains("did you mean \"lsq\"?"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq"), Contains("expected NAME:BITS"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:0"), Contains("bits are \"0\", expected a number from 1 to 16"));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:17"), Contains("bits are \"17\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4x"), Contains("bits are \"4x\""));
  CHECK_THROWS_WITH(parse_quantizer_spec("lsq:4:unifrom"), Contains("unknown option \"unifrom\"") && Contains("\"uniform\"?"));
  CHECK_THROWS_WITH(parse_quantizer_spec("none:4"), Contains("expected NAME:BITS"));
}
