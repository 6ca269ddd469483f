#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/registry.hpp>
#include "quantizers/support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;
using Weights = WeightsLUTSymmetricInferableQuantizer;
using Activation = ActivationLutPOTInferableQuantizer;

namespace {

std::vector<float> floats(const Tensor& t) { return {t.span<float>().begin(), t.span<float>().end()}; }
std::vector<std::int32_t> ints(const Tensor& t) {
  return {t.span<std::int32_t>().begin(), t.span<std::int32_t>().end()};
}

}  // namespace

TEST_CASE("values go to the nearest entry, ties to the one listed first, outside of the range to the bound's nearest") {
  // Threshold 128: the entries are the values.
  const Weights forwards({.num_bits = 2, .lut_values = {-64, 0, 10, 127}, .threshold = {128}});
  CHECK(floats(forwards(row({4.9F, 5, 5.1F, -32, -31.9F, 68.5F, 1e9F, -1e9F}))) ==
        std::vector<float>{0, 0, 10, -64, 0, 10, 127, -64});
  const Weights backwards({.num_bits = 2, .lut_values = {127, 10, 0, -64}, .threshold = {128}});
  CHECK(floats(backwards(row({4.9F, 5, 5.1F, -32, -31.9F, 68.5F}))) == std::vector<float>{0, 10, 10, 0, 0, 127});
  // Nothing is rounded before the search: 4.6 is nearer to 5 than to 4 although the bound of 4 is not.
  CHECK(floats(Weights({.num_bits = 1, .lut_values = {4, 5}, .threshold = {128}})(row({4.4F, 4.6F}))) ==
        std::vector<float>{4, 5});
  // Clamped to 127 before the search, so that 200 is nearer to 100 than to -128, and infinity as well.
  CHECK(floats(forwards(row({infinity, -infinity}))) == std::vector<float>{127, -64});
}

TEST_CASE("codes are entries, and scale times code is the float result") {
  const Weights quantizer({.num_bits = 3,
                           .lut_values = {-120, -50, -7, 0, 3, 40, 90, 127},
                           .threshold = {0.9, 0.13, 2.7},
                           .per_channel = true,
                           .channel_axis = -1,
                           .input_rank = 2});
  const Tensor x = scattered({50, 3}, 7, 2.5);
  const Grid grid = quantizer.grid();
  CHECK(grid == Grid{8, -128, 127, {0.9F / 128, 0.13F / 128, 2.7F / 128}, {0, 0, 0}, -1});
  const Tensor codes = quantizer.codes(x);
  CHECK(identical(quantizer(x), quantizer.dequantize(codes)));
  CHECK(identical(quantizer(x), values_of(codes, grid)));
  const std::vector<std::int32_t> entries = quantizer.table()->entries;
  CHECK(entries == std::vector<std::int32_t>{-120, -50, -7, 0, 3, 40, 90, 127});
  CHECK(quantizer.table()->scale == grid.scale);
  for (const std::int32_t code : ints(codes)) CHECK(std::find(entries.begin(), entries.end(), code) != entries.end());
  CHECK(identical(quantizer(quantizer(x)), quantizer(x)));  // levels stay where they are
  CHECK_THROWS_WITH(quantizer.dequantize(Tensor::full({1, 3}, 5, DType::int32)),
                    Contains("code 5") && Contains("no entry"));
}

TEST_CASE("a full table is the symmetric quantizer, but for ties") {
  std::vector<double> all;
  for (int entry = -8; entry < 8; ++entry) all.push_back(entry);
  const Weights table({.num_bits = 4, .lut_values = all, .threshold = {2}, .lut_values_bitwidth = 4});
  const WeightsSymmetricInferableQuantizer symmetric({.num_bits = 4, .threshold = {2}});
  const Tensor x = scattered({1000}, 3, 3);
  CHECK(identical(table(x), symmetric(x)));
  CHECK(identical(table.codes(x), symmetric.codes(x)));
  CHECK(table.grid() == symmetric.grid());
}

TEST_CASE("eps is added where the input is divided and only there") {
  const Weights quantizer({.num_bits = 1, .lut_values = {0, 64}, .threshold = {1}, .eps = 1});
  CHECK(floats(quantizer(row({0.4F, 0.49F, 0.51F}))) ==
        std::vector<float>{0, 0, 0.5F});  // the middle is 32 = x / 2 * 128
  // The default vanishes in float32 beside 1 and does not beside 2^-10.
  const double t = std::ldexp(1, -10);
  const Activation small({.num_bits = 1, .lut_values = {0, 64}, .threshold = {t}, .is_signed = true});
  const float middle = static_cast<float>(t / 4);
  CHECK(floats(small(row({middle, std::nextafter(middle, 1.0F)}))) == std::vector<float>{0, 0});
}

TEST_CASE("unsigned tables, the entry 2^bits included") {
  const Activation quantizer({.num_bits = 2, .lut_values = {0, 90, 256}, .threshold = {1}, .is_signed = false});
  CHECK(floats(quantizer(row({-3, 0.1F, 0.2F, 0.9F, 5}))) == std::vector<float>{0, 0, 90.0F / 256, 1, 1});
  CHECK(ints(quantizer.codes(row({0.2F, 5}))) == std::vector<std::int32_t>{90, 256});
  CHECK(quantizer.table() == LookupTable{8, false, {0, 90, 256}, {1.0F / 256}, {}});
}

TEST_CASE("an activation table has no uniform grid and says so") {
  const Activation quantizer({.num_bits = 2, .lut_values = {0, 90}, .threshold = {1}, .is_signed = false});
  CHECK_THROWS_AS(quantizer.grid(), NotImplementedError);
  CHECK_THROWS_WITH(quantizer.grid(), Contains("ActivationLutPOT") && Contains("unevenly spaced"));
  CHECK_FALSE(WeightsSymmetricInferableQuantizer({.threshold = {1}}).table());
}

TEST_CASE("NaN stays NaN in floats and has no code, the input stays as it is") {
  const Weights quantizer({.num_bits = 1, .lut_values = {3, 5}, .threshold = {1}});
  const Tensor x = row({0, not_a_number, 1});
  CHECK(std::isnan(floats(quantizer(x))[1]));
  CHECK_THROWS_WITH(quantizer.codes(x), Contains("element 1 is NaN"));
  CHECK(floats(x)[2] == 1);
}

TEST_CASE("channels of tables: negative axes, other ranks are aligned at the last axis, what does not fit is refused") {
  const auto make = [](int axis, int rank) {
    return Weights({.num_bits = 2,
                    .lut_values = {-100, 0, 40},
                    .threshold = {0.5, 2, 7},
                    .per_channel = true,
                    .channel_axis = axis,
                    .input_rank = rank});
  };
  const Tensor x = scattered({2, 3, 5}, 1, 4);
  CHECK(identical(make(1, 3)(x), make(-2, 3)(x)));
  CHECK(identical(make(1, 3)(x), make(0, 2)(x)));  // (3, 1) against (2, 3, 5), as NumPy broadcasts
  for (Index c = 0; c < 3; ++c) {
    const Weights one({.num_bits = 2,
                       .lut_values = {-100, 0, 40},
                       .threshold = {std::vector<double>{0.5, 2, 7}[static_cast<std::size_t>(c)]}});
    CHECK(identical(make(1, 3)(x).slice(1, c, c + 1), one(x.slice(1, c, c + 1))));
  }
  CHECK_THROWS_WITH(make(2, 3)(x), Contains("WeightsLUTSymmetric") && Contains("5 channels, expected 3"));
  CHECK_THROWS_WITH(make(3, 3), Contains("channel_axis is 3") && Contains("-3 to 2"));
  // One threshold serves all channels.
  const Weights shared({.num_bits = 1,
                        .lut_values = {0, 64},
                        .threshold = {1},
                        .per_channel = true,
                        .channel_axis = 0,
                        .input_rank = 3});
  CHECK(shared(x).shape() == x.shape());
  CHECK(shared.codes(x).shape() == x.shape());
}

TEST_CASE("tables give the same bytes for any number of threads") {
  const Weights quantizer({.num_bits = 3,
                           .lut_values = {5, -3, 100, 77, -128},
                           .threshold = {1.1, 0.2, 3},
                           .per_channel = true,
                           .channel_axis = 1,
                           .input_rank = 2});
  const Tensor x = scattered({7000, 3}, 5, 4);
  const auto with = [&](int threads) {
    const Threads scope(threads);
    return quantizer(x);
  };
  CHECK(identical(with(1), with(3)));
}

TEST_CASE("illegal tables name the option and the value") {
  const auto weights = [](Weights::Options options) { return [options] { Weights{options}; }; };
  const auto refuses = [](const auto& make, const auto&... texts) {
    try {
      make();
      FAIL_CHECK("not refused");
    } catch (const ValueError& error) {
      for (const std::string& text : std::vector<std::string>{texts...}) CHECK_THAT(error.what(), Contains(text));
    }
  };
  refuses(weights({.num_bits = 2, .lut_values = {-9, -3, 0, 4, 11}, .threshold = {1}}), "5 different entries",
          "at most 2^num_bits = 4");
  CHECK_NOTHROW(
      weights({.num_bits = 1, .lut_values = {3, 3, -3, -3}, .threshold = {1}})());  // only different ones count
  refuses(weights({.num_bits = 2, .lut_values = {0.5, 1}, .threshold = {1}}), "lut_values has 0.5", "whole numbers");
  refuses(weights({.num_bits = 2, .lut_values = {128}, .threshold = {1}}), "lut_values has 128", "-128 to 127");
  refuses(weights({.num_bits = 2, .lut_values = {8}, .threshold = {1}, .lut_values_bitwidth = 4}), "-8 to 7");
  refuses(weights({.num_bits = 2, .lut_values = {not_a_number}, .threshold = {1}}), "lut_values has nan");
  refuses(weights({.num_bits = 2, .lut_values = {}, .threshold = {1}}), "lut_values is empty");
  refuses(weights({.num_bits = 9, .lut_values = {1}, .threshold = {1}}), "num_bits is 9",
          "lut_values_bitwidth, which is 8");
  refuses(weights({.num_bits = 0, .lut_values = {1}, .threshold = {1}}), "num_bits is 0", "1 to 16");
  refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {1}, .lut_values_bitwidth = 17}),
          "lut_values_bitwidth is 17");
  refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {1, 2}}), "threshold has 2 elements");
  refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {1, 2}, .per_channel = true, .input_rank = 2}),
          "channel_axis");
  refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {1, 2}, .per_channel = true, .channel_axis = 1}),
          "input_rank");
  refuses(
      weights(
          {.num_bits = 2, .lut_values = {1}, .threshold = {}, .per_channel = true, .channel_axis = 1, .input_rank = 2}),
      "threshold is empty");
  refuses(weights({.num_bits = 2,
                   .lut_values = {1},
                   .threshold = {1},
                   .per_channel = true,
                   .channel_axis = 0,
                   .input_rank = 7}),
          "input_rank is 7");
  for (const double bad : {0.0, -1.0, 1e-50, 1e39, HUGE_VAL, static_cast<double>(not_a_number)})
    refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {bad}}), "threshold 0 is", "finite positive");
  for (const double bad : {-1e-8, HUGE_VAL, static_cast<double>(not_a_number)})
    refuses(weights({.num_bits = 2, .lut_values = {1}, .threshold = {1}, .eps = bad}), "eps is");
  refuses([] { WeightsLUTPOTInferableQuantizer({.num_bits = 2, .lut_values = {1}, .threshold = {3}}); },
          "WeightsLUTPOT", "power of two");
  refuses([] { Activation({.num_bits = 2, .lut_values = {1}, .threshold = {3}}); }, "power of two");
  refuses([] { Activation({.num_bits = 2, .lut_values = {1}, .threshold = {1, 2}}); }, "threshold has 2 elements");
  refuses(
      [] {
        Activation({.num_bits = 2, .lut_values = {-1, 2}, .threshold = {1}, .is_signed = false});
      },
      "lut_values has -1", "0 to 256");
  refuses(
      [] {
        Activation({.num_bits = 2, .lut_values = {0, 257}, .threshold = {1}, .is_signed = false});
      },
      "lut_values has 257");
}

TEST_CASE("tables go through JSON, and what may be left out has its default") {
  std::vector<InferablePtr> quantizers;
  quantizers.push_back(std::make_unique<Weights>(Weights::Options{.num_bits = 4,
                                                                  .lut_values = {7, -8, 0},
                                                                  .threshold = {0.1, 1.0 / 3},
                                                                  .per_channel = true,
                                                                  .channel_axis = -1,
                                                                  .input_rank = 4,
                                                                  .lut_values_bitwidth = 5,
                                                                  .eps = 0.02}));
  quantizers.push_back(std::make_unique<WeightsLUTPOTInferableQuantizer>(
      Weights::Options{.num_bits = 2, .lut_values = {1, 1, 2}, .threshold = {0.25}}));
  quantizers.push_back(std::make_unique<Activation>(
      Activation::Options{.num_bits = 2, .lut_values = {0, 256}, .threshold = {4}, .is_signed = false, .eps = 0}));
  for (const InferablePtr& quantizer : quantizers) {
    const InferablePtr back = inferable_from_json(quantizer->to_json());
    CHECK(back->type() == quantizer->type());
    CHECK(back->to_json() == quantizer->to_json());
    CHECK(back->table() == quantizer->table());
    CHECK(back->describe() == quantizer->describe());
    CHECK(quantizer->clone()->to_json() == quantizer->to_json());
    CHECK_THAT(quantizer->describe(),
               Contains(std::string(quantizer->type())) && Contains("table [") && !Contains("\n"));
    CHECK_THROWS_WITH(inferable_from_json(quantizer->to_json().insert(1, "\"extra\": 1, ")), Contains("extra"));
  }
  CHECK(quantizers[0]->describe() ==
        "WeightsLUTSymmetricInferableQuantizer: 4 bits, table [7, -8, 0] of 5 bits, threshold [0.1, 0.333333], 2 "
        "channels on axis -1");
  const InferablePtr defaults = inferable_from_json(
      R"({"class": "WeightsLUTPOTInferableQuantizer", "num_bits": 2, "lut_values": [0, 3.0], "threshold": [1], "per_channel": false})");
  CHECK_THAT(defaults->to_json(), Contains("\"lut_values_bitwidth\":8") && Contains("\"eps\":1e-08"));
  CHECK(get_inferable_quantizer_class(QuantizationTarget::Weights, QuantizationMethod::LUT_SYM_QUANTIZER) ==
        "WeightsLUTSymmetricInferableQuantizer");
  CHECK(get_inferable_quantizer_class(QuantizationTarget::Activation, QuantizationMethod::LUT_POT_QUANTIZER) ==
        "ActivationLutPOTInferableQuantizer");
  CHECK_THROWS_AS(get_inferable_quantizer_class(QuantizationTarget::Activation, QuantizationMethod::LUT_SYM_QUANTIZER),
                  ValueError);
}
