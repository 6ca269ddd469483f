// lsq, lsq-pot and lsq-plus against the formulas of their papers; what they share is in own_quantizers_test.cpp.
#include <catch2/catch.hpp>

#include <numbers>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable/lsq_plus.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr auto pot = QuantizationMethod::POWER_OF_TWO;
constexpr auto symmetric = QuantizationMethod::SYMMETRIC;
constexpr auto uniform = QuantizationMethod::UNIFORM;

/// Gradients of a quantizer's variables, in their order, and of x in front of them.
std::vector<Tensor> gradients(BaseTrainableQuantizer& quantizer, const Tensor& x, const Tensor& dy) {
  Tape tape;
  const Variable leaf = tape.watch(x), y = quantizer(leaf, true);
  tape.backward(y, dy);
  std::vector<Tensor> result{tape.gradient(leaf)};
  for (const auto& variable : quantizer.variables()) result.push_back(variable.parameter->gradient());
  return result;
}

}  // namespace

TEST_CASE("lsq: gradients are those of the paper") {
  // Esser et al. 2020, equation 3 and section 2.2, for one step shared by 6 weights: s = 0.25, levels -2 .. 1, 2 bits.
  const TrainablePtr quantizer = make_trainable("lsq", weights_config({.bits = 2, .threshold = {0.5}}));
  const Tensor v = row({0.1F, -0.3F, 0.3F, -0.9F, 0.249F, 0.26F}), g = row({1, 2, 3, 4, 5, 6});
  quantizer->initialize_quantization(v.shape(), "w");
  const auto found = gradients(*quantizer, v, g);
  const double s = 0.25;
  double expected = 0;
  for (Index i = 0; i < 6; ++i) {
    const double u = static_cast<double>(v.data<float>()[i]) / s;
    const bool inside = u > -2 && u < 1;  // on the unrounded value: 0.26 rounds to level 1, but lies above it
    const double slope = inside ? std::nearbyint(u) - u : (u <= -2 ? -2 : 1);
    expected += static_cast<double>(g.data<float>()[i]) * slope;
    CHECK(found[0].data<float>()[i] == (inside ? g.data<float>()[i] : 0.0F));
  }
  CHECK(found[1].item() == Approx(expected / std::sqrt(6.0 * 1)).epsilon(1e-5));  // 6 weights, Qp = 1
}

TEST_CASE("lsq: the gradient scale counts weights per channel and features per sample") {
  const auto gradient_of = [](BaseTrainableQuantizer& quantizer, const Tensor& x) {
    return static_cast<double>(gradients(quantizer, x, Tensor::full(x.shape(), 1))[1].data<float>()[0]);
  };
  // Everything saturates at level 7, so that the unscaled gradient is 7 per element.
  const TrainablePtr weights = make_trainable("lsq", weights_config({.bits = 4, .threshold = {1, 1, 1}}, 2));
  weights->initialize_quantization(Shape{20, 3}, "w");
  CHECK(gradient_of(*weights, Tensor::full(Shape{20, 3}, 5)) == Approx(20 * 7 / std::sqrt(20 * 7.0)));
  const TrainablePtr activation = make_trainable("lsq", activation_config({.bits = 4, .threshold = {1}}));
  activation->initialize_quantization({}, "act");
  CHECK(gradient_of(*activation, Tensor::full(Shape{8, 5, 2}, 5)) == Approx(80 * 7 / std::sqrt(10 * 7.0)));
}

TEST_CASE("lsq: a step gone negative or to zero is floored at 2^-16 of its start, and comes back when the loss asks") {
  const TrainablePtr quantizer = make_trainable("lsq", weights_config({.threshold = {0.8}}));
  const Tensor x = scattered(Shape{50}, 3);
  quantizer->initialize_quantization(x.shape(), "w");
  const ParameterPtr scale = quantizer->get_quantizer_variable("scale");
  for (const float value : {0.0F, -1.0F, -1e30F, 1e-30F}) {
    scale->value().fill(static_cast<double>(value));
    CHECK(quantizer->convert2inferable()->grid().scale[0] == static_cast<float>(0.1 / 65536));
    // Everything saturates: the gradient of the step has the sign of the sum of dy x.
    scale->zero_gradient();
    CHECK(gradients(*quantizer, x, x)[1].item() == 0);  // smaller still would be better: nothing
    CHECK(gradients(*quantizer, x, scattered(Shape{50}, 3, -1))[1].item() < -1);
  }
}

TEST_CASE("lsq-pot: gradients are those of trained quantization thresholds") {
  // Jain et al. 2020: threshold 1, 3 bits signed, so s = 1/4 and levels -4 .. 3; the mask is on the rounded level.
  const TrainablePtr quantizer =
      make_trainable("lsq-pot", weights_config({.method = pot, .bits = 3, .threshold = {1}}));
  const Tensor v = row({0.3F, -0.3F, 2.0F, -9.0F, 0.85F, 0.95F, -1.1F}), g = row({1, 2, 3, 4, 5, 6, 7});
  quantizer->initialize_quantization(v.shape(), "w");
  const auto found = gradients(*quantizer, v, g);
  double expected = 0;
  for (Index i = 0; i < 7; ++i) {
    const double u = static_cast<double>(v.data<float>()[i]) * 4, level = std::nearbyint(u);
    const bool inside = level >= -4 && level <= 3;
    expected += static_cast<double>(g.data<float>()[i]) * (inside ? level - u : u < 0 ? -4 : 3);
    CHECK(found[0].data<float>()[i] == (inside ? g.data<float>()[i] : 0.0F));
  }
  CHECK(found[1].item() == Approx(expected * 0.25 * std::numbers::ln2 / std::sqrt(7.0 * 3)).epsilon(1e-5));
}

TEST_CASE("lsq-pot: steps are powers of two while they learn") {
  const TrainablePtr quantizer =
      make_trainable("lsq-pot", weights_config({.method = pot, .bits = 4, .threshold = {1}}));
  quantizer->initialize_quantization(Shape{4}, "w");
  const ParameterPtr exponent = quantizer->get_quantizer_variable("log2_threshold");
  CHECK(exponent->value().item() == 0);
  CHECK(exponent->unit() == 1.0);
  for (const auto& [value, threshold] : {std::pair{0.0, 1.0},
                                         {0.49, 1.0},
                                         {0.5, 1.0},
                                         {0.51, 2.0},
                                         {1.5, 4.0},
                                         {-2.6, 0.125},
                                         {-15.9, 0x1p-16},
                                         {-99.0, 0x1p-16},
                                         {1e6, 0x1p127}}) {
    exponent->value().fill(value);
    CHECK(static_cast<double>(quantizer->convert2inferable()->grid().scale[0]) == threshold / 8);
    CHECK(quantizer->convert2inferable()->type() == "WeightsPOTInferableQuantizer");
  }
  const TrainablePtr other =
      make_trainable("lsq-pot", activation_config({.method = pot, .bits = 4, .threshold = {0.7}}));
  other->initialize_quantization({}, "act");
  CHECK(other->convert2inferable()->grid().scale[0] == 0.0625F);  // 0.7 lies nearer to 1/2 in octaves
}

TEST_CASE("lsq-plus: gradients of step and offset are those of the paper") {
  // Bhalgat et al. 2020, section 3: s = 0.5, beta = -1, codes 0 .. 15.
  const TrainablePtr quantizer =
      make_trainable("lsq-plus", activation_config({.method = uniform, .bits = 4, .min = {-1}, .max = {6.5}}));
  quantizer->initialize_quantization({}, "act");
  CHECK(quantizer->get_quantizer_variable("scale")->value().item() == 0.5);
  CHECK(quantizer->get_quantizer_variable("offset")->value().item() == -1);
  CHECK(quantizer->get_quantizer_variable("offset")->unit() == 7.5);
  CHECK(quantizer->convert2inferable()->grid().zero_point[0] == 2);
  const Tensor v = Tensor::from(Shape{2, 3}, {0.1F, -0.8F, 9.0F, -3.0F, 6.4F, 6.6F});
  const Tensor g = Tensor::from(Shape{2, 3}, {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  const auto found = gradients(*quantizer, v, g);
  double scale = 0, offset = 0;
  for (Index i = 0; i < 6; ++i) {
    const double u = (static_cast<double>(v.data<float>()[i]) + 1) / 0.5, dy = static_cast<double>(g.data<float>()[i]);
    const bool inside = u > 0 && u < 15;
    scale += dy * (inside ? std::nearbyint(u) - u : u <= 0 ? 0 : 15);
    offset += inside ? 0 : dy;
    CHECK(found[0].data<float>()[i] == (inside ? g.data<float>()[i] : 0.0F));
  }
  const double factor = 1 / std::sqrt(3.0 * 15);  // features of one sample
  CHECK(found[1].item() == Approx(scale * factor).epsilon(1e-5));
  CHECK(found[2].item() == Approx(offset * factor).epsilon(1e-5));
}

TEST_CASE("lsq-plus: zero stays on the grid, wherever the offset goes, and the offset comes back") {
  const TrainablePtr quantizer =
      make_trainable("lsq-plus", activation_config({.method = uniform, .bits = 4, .min = {0}, .max = {1.5}}));
  quantizer->initialize_quantization({}, "act");
  const ParameterPtr offset = quantizer->get_quantizer_variable("offset");
  CHECK(offset->value().item() == 0);
  CHECK(offset->unit() == Approx(1.5));  // a value of 0 has no magnitude to move by
  const Tensor x = Tensor::full(Shape{1, 10}, 9);
  for (const auto& [value, zero_point] : {std::pair{0.0, 0}, {0.4, 0}, {1e30, 0}, {-0.4, 4}, {-1.5, 15}, {-9.0, 15}}) {
    offset->value().fill(value);
    CHECK(quantizer->convert2inferable()->grid().zero_point[0] == zero_point);
    CHECK((*quantizer)(row({0}), true).value().item() == 0);
    offset->zero_gradient();
    const double down = gradients(*quantizer, x, Tensor::full(x.shape(), 1))[2].item();  // descent lowers the offset
    offset->zero_gradient();
    const double up = gradients(*quantizer, x, Tensor::full(x.shape(), -1))[2].item();
    CHECK((down > 0) == (value > -1.6));
    CHECK((up < 0) == (value <= 0));
  }
}

TEST_CASE("lsq-plus: weights start at three deviations from their mean") {
  const TrainableEntry& entry = get_trainable_quantizer_class(QuantizationTarget::Weights, "lsq-plus", symmetric);
  REQUIRE(entry.weights_start != nullptr);
  // Three channels on the last axis: values 1 and 3 (mean 2, deviation 1), -4 twice, zeros.
  const Tensor weight = Tensor::from(Shape{2, 3}, {1.0F, -4.0F, 0.0F, 3.0F, -4.0F, 0.0F});
  TrainableQuantizerWeightsConfig config;
  config.n_bits = 4;
  const auto start = [&] { return entry.weights_start(weight, config); };
  const Tensor threshold = start().at("threshold");
  CHECK(threshold.shape() == Shape{1, 3});
  CHECK(threshold.at<double>({0, 0}) == Approx(5));
  CHECK(threshold.at<double>({0, 1}) == Approx(4));
  CHECK(threshold.at<double>({0, 2}) == 1);
  config.method = uniform;
  CHECK(start().at("range_min").at<double>({0, 0}) == Approx(-1));
  CHECK(start().at("range_max").at<double>({0, 0}) == Approx(5));
  CHECK(start().at("range_min").at<double>({0, 1}) == Approx(-4));
  CHECK(start().at("range_max").at<double>({0, 1}) == 0);
  CHECK(start().at("range_max").at<double>({0, 2}) == 1);
  config.quantization_params = start();
  CHECK_NOTHROW(make_trainable("lsq-plus", config));
  config.weights_channels_axis = 0;
  CHECK(start().at("range_min").shape() == Shape{2, 1});
  config.weights_per_channel_threshold = false;
  CHECK(start().at("range_min").shape() == Shape{1});
  CHECK_THROWS_WITH(entry.weights_start(Tensor(Shape{0}), config), Contains("no weights"));
  CHECK_THROWS_WITH(entry.weights_start(row({1, 2, infinity}), config), Contains("weight 2 is inf"));
  CHECK(get_trainable_quantizer_class(QuantizationTarget::Weights, "lsq", symmetric).weights_start == nullptr);
}
