#include <catch2/catch.hpp>

#include <limits>

#include <bitgrad/quantizers/config.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

/// Every field different from its default, numbers that need all their digits.
TrainableQuantizerWeightsConfig weights_config() {
  TrainableQuantizerWeightsConfig config;
  config.method = QuantizationMethod::UNIFORM;
  config.n_bits = 9;
  config.quantization_params = {
      {"range_min", Tensor::from({1, 1, 2}, std::vector<double>{-0.1, -1.0 / 3})},
      {"range_max", Tensor::from({1, 1, 2}, std::vector<double>{0x1.fffffffffffffp-1, 1e-300})}};
  config.enable_quantization = false;
  config.min_threshold = 0.1;
  config.candidates = {{4, {{"threshold", Tensor::scalar(2.5, DType::float64)}}}, {2, {}}};
  config.weights_channels_axis = 2;
  config.weights_per_channel_threshold = false;
  return config;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a weights config survives JSON to the bit, every field of it") {
  const TrainableQuantizerWeightsConfig config = weights_config();
  const auto read = TrainableQuantizerWeightsConfig::from_json(config.to_json());
  CHECK(read.method == QuantizationMethod::UNIFORM);
  CHECK(read.n_bits == 9);
  REQUIRE(read.quantization_params.size() == 2);
  for (const char* key : {"range_min", "range_max"}) CHECK(identical(read.param(key), config.param(key)));
  CHECK_FALSE(read.enable_quantization);
  CHECK(read.min_threshold == 0.1);
  REQUIRE(read.candidates.size() == 2);
  CHECK(read.candidates[0].n_bits == 4);
  CHECK(identical(read.candidates[0].quantization_params.at("threshold"), Tensor::scalar(2.5, DType::float64)));
  CHECK(read.candidates[1].n_bits == 2);
  CHECK(read.candidates[1].quantization_params.empty());
  CHECK(read.weights_channels_axis == 2);
  CHECK_FALSE(read.weights_per_channel_threshold);
  CHECK(read.to_json() == config.to_json());
}

TEST_CASE("the seed's weights config: power of two, 9 bits, per channel, last axis, no least threshold") {
  TrainableQuantizerWeightsConfig config;
  config.method = QuantizationMethod::POWER_OF_TWO;
  config.n_bits = 9;
  config.weights_per_channel_threshold = true;
  config.weights_channels_axis = -1;
  config.min_threshold = 0;
  const auto read = TrainableQuantizerWeightsConfig::from_json(config.to_json());
  CHECK(read.method == QuantizationMethod::POWER_OF_TWO);
  CHECK(read.n_bits == 9);
  CHECK(read.weights_per_channel_threshold);
  CHECK(read.weights_channels_axis == -1);
  CHECK(read.min_threshold == 0);
  CHECK(read.quantization_params.empty());
  CHECK(read.candidates.empty());
  const BaseQuantizerConfig& base = read;
  CHECK(base.enable_quantization);
}

TEST_CASE("an activation config survives JSON") {
  TrainableQuantizerActivationConfig config;
  config.channels_axis = 1;
  config.quantization_params = {{"threshold", Tensor::full({1}, 6, DType::float64)},
                                {"is_signed", Tensor::scalar(0, DType::float64)}};
  const auto read = TrainableQuantizerActivationConfig::from_json(config.to_json());
  CHECK(read.channels_axis == 1);
  CHECK(read.param("threshold").shape() == Shape{1});
  CHECK(read.param("is_signed").shape() == Shape{});
  CHECK(read.to_json() == config.to_json());
  config.quantization_params["threshold"] = Tensor::full({1}, 0.1, DType::float32);
  const Tensor back = TrainableQuantizerActivationConfig::from_json(config.to_json()).param("threshold");
  CHECK(back.item() == static_cast<double>(0.1F));
}

TEST_CASE("reading a config is strict and names field and value") {
  const std::string good = weights_config().to_json();
  const auto refuses = [&](const std::string& from, const std::string& to, const auto& matcher) {
    INFO(from << " -> " << to);
    CHECK_THROWS_WITH(TrainableQuantizerWeightsConfig::from_json(replaced(good, from, to)),
                      Contains("TrainableQuantizerWeightsConfig") && matcher);
  };
  refuses("\"version\":1", "\"version\":2", Contains("\"version\" is 2, expected 1"));
  refuses("\"version\":1,", "", Contains("\"version\" is missing"));
  refuses("\"Weights\"", "\"Activation\"", Contains("\"target\" is \"Activation\", expected \"Weights\""));
  refuses("\"UNIFORM\"", "\"UNIFROM\"", Contains("\"method\"") && Contains("UNIFROM") && Contains("did you mean"));
  refuses("\"n_bits\":9", "\"n_bits\":\"9\"", Contains("\"n_bits\" is \"9\", expected an integer"));
  refuses("\"n_bits\":9", "\"n_bits\":9.5", Contains("\"n_bits\" is 9.5"));
  refuses("\"n_bits\":9,", "", Contains("\"n_bits\" is missing"));
  refuses("\"n_bits\":9", "\"n_bits\":9,\"n_bit\":9", Contains("unknown member \"n_bit\" (did you mean \"n_bits\"?"));
  refuses("\"min_threshold\":0.1", "\"min_threshold\":null", Contains("\"min_threshold\" is null, expected a number"));
  refuses("\"enable_quantization\":false", "\"enable_quantization\":0",
          Contains("\"enable_quantization\" is 0, expected true or false"));
  refuses("[1,1,2]", "[1,1,3]", Contains("quantization_params: range_max") && Contains("2 values"));
  refuses("[1,1,2]", "[-1]", Contains("range_max"));
  refuses("[1,1,2]", "[1.5]", Contains("\"shape\" is [1.5], expected a list of integers"));
  refuses("\"n_bits\":4", "\"bits\":4", Contains("candidates[0]") && Contains("\"n_bits\" is missing"));
  refuses("\"candidates\":[", "\"candidates\":[7,",
          Contains("\"candidates\" is [7") && Contains("expected a list of objects"));
  refuses("}", "", Contains("not JSON: parse error at line 1, column"));
  refuses("\"n_bits\":9", "\"n_bits\":9,\"n_bits\":8", Contains("the key \"n_bits\" occurs twice"));
  CHECK_THROWS_WITH(TrainableQuantizerActivationConfig::from_json(good),
                    Contains("\"target\" is \"Weights\", expected \"Activation\""));
  CHECK_THROWS_WITH(TrainableQuantizerActivationConfig::from_json("[]"),
                    Contains("TrainableQuantizerActivationConfig: is a JSON array, expected an object"));
}

TEST_CASE("what JSON cannot hold is refused when it is written") {
  TrainableQuantizerWeightsConfig config;
  config.min_threshold = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(config.to_json(), Contains("min_threshold") && Contains("inf"));
  config.min_threshold = 0;
  config.quantization_params["threshold"] = Tensor::scalar(std::numeric_limits<double>::quiet_NaN(), DType::float64);
  CHECK_THROWS_AS(config.to_json(), ValueError);
  config.quantization_params["threshold"] = Tensor();
  CHECK_THROWS_WITH(config.to_json(), Contains("threshold") && Contains("undefined"));
}
