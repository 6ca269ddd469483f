#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable/dqa.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

const Shape shape{30};

std::unique_ptr<AttentionWeightsQuantizer> attention_quantizer(TrainableQuantizerWeightsConfig config) {
  auto quantizer = std::make_unique<AttentionWeightsQuantizer>(config);
  quantizer->initialize_quantization(shape, "w");
  return quantizer;
}

std::vector<int> widths(int bits) {
  return attention_quantizer(weights_config({.bits = bits, .threshold = {1}}))->widths();
}

TrainableQuantizerWeightsConfig with_candidates(std::vector<TrainableQuantizerCandidateConfig> candidates) {
  TrainableQuantizerWeightsConfig config = weights_config({.bits = 4, .threshold = {1}});
  config.candidates = std::move(candidates);
  return config;
}

void set_attention(const BaseTrainableQuantizer& quantizer, const Tensor& attention) {
  quantizer.get_quantizer_variable("attention")->assign(attention);
}

}  // namespace

TEST_CASE("dqa: widths are n, 2n and 4n up to 16, or the candidates in order") {
  CHECK(widths(1) == std::vector<int>{1, 2, 4});
  CHECK(widths(4) == std::vector<int>{4, 8, 16});
  CHECK(widths(5) == std::vector<int>{5, 10});
  CHECK(widths(16) == std::vector<int>{16});
  const auto quantizer = attention_quantizer(with_candidates({{8, {}}, {2, {{"threshold", doubles({0.5})}}}, {5, {}}}));
  CHECK(quantizer->widths() == std::vector<int>{2, 5, 8});
  CHECK(quantizer->get_quantizer_variable("scale_2")->value().item() == 0.25);  // its own threshold
  CHECK(quantizer->get_quantizer_variable("scale_8")->value().item() == 1.0 / 128);
  CHECK_THROWS_WITH(attention_quantizer(with_candidates({{4, {}}, {8, {}}, {4, {}}})),
                    Contains("two candidates have 4 bits"));
  CHECK_THROWS_WITH(attention_quantizer(with_candidates({{17, {}}})), Contains("17 bits, expected 1 to 16"));
}

TEST_CASE("dqa: attention starts halved from width to width") {
  const auto three = attention_quantizer(weights_config({.bits = 4, .threshold = {1}}));
  const Tensor attention = three->get_quantizer_variable("attention")->value();
  for (Index i = 0; i < 3; ++i) CHECK(static_cast<double>(attention.data<float>()[i]) == Approx((4 >> i) / 7.0));
  const auto one = attention_quantizer(weights_config({.bits = 16, .threshold = {1}}));
  CHECK(one->get_quantizer_variable("attention")->value().item() == 1);
}

TEST_CASE("dqa: the temperature rises from 0 to 10 in the first half of the training") {
  const auto quantizer = attention_quantizer(weights_config({.bits = 4, .threshold = {1}}));
  set_attention(*quantizer, row({0.5F, 0.2F, 0.3F}));
  const double deviation = std::sqrt((0.0277777778 + 0.0177777778 + 0.0011111111) / 2);
  for (const double progress : {0.0, 0.1, 0.25, 0.5, 1.0}) {
    quantizer->set_training_progress(progress);
    const double t = std::min(progress / 0.5, 1.0) * 10;
    const double e[] = {std::exp(t * 0.5 / deviation), std::exp(t * 0.2 / deviation), std::exp(t * 0.3 / deviation)};
    for (Index i = 0; i < 3; ++i)
      CHECK(static_cast<double>(quantizer->probabilities().data<float>()[i]) ==
            Approx(e[i] / (e[0] + e[1] + e[2])).epsilon(1e-4));
  }
}

TEST_CASE("dqa: the mixture is the sum of its widths, and the favourite is what is left") {
  const Tensor x = scattered(shape, 5, 1.5);
  const auto quantizer = attention_quantizer(weights_config({.bits = 2, .threshold = {1}}));
  quantizer->set_training_progress(0.2);
  const Tensor p = quantizer->probabilities(), mixture = (*quantizer)(x, true).value();
  std::vector<Tensor> parts;
  for (const int bits : {2, 4, 8}) {
    const TrainablePtr part = make_trainable("lsq", weights_config({.bits = bits, .threshold = {1}}));
    part->initialize_quantization(shape, "w");
    parts.push_back((*part)(x, true).value());
  }
  for (Index i = 0; i < x.size(); ++i) {
    double expected = 0;
    for (std::size_t w = 0; w < 3; ++w)
      expected += static_cast<double>(p.data<float>()[w]) * static_cast<double>(parts[w].data<float>()[i]);
    CHECK(static_cast<double>(mixture.data<float>()[i]) == Approx(expected).margin(1e-6));
  }
  for (std::size_t favourite = 0; favourite < 3; ++favourite) {
    Tensor attention = row({0.1F, 0.1F, 0.1F});
    attention.data<float>()[favourite] = 0.2F;
    set_attention(*quantizer, attention);
    CHECK(quantizer->favourite() == favourite);
    CHECK(identical((*quantizer)(x, false).value(), parts[favourite]));
    CHECK(quantizer->convert2inferable()->bits() == quantizer->widths()[favourite]);
    quantizer->set_training_progress(0.5);
    CHECK(identical((*quantizer)(x, true).value(), parts[favourite]));
    quantizer->set_training_progress(0.2);
    CHECK_FALSE(identical((*quantizer)(x, true).value(), parts[favourite]));
  }
  set_attention(*quantizer, row({0.3F, 0.3F, 0.3F}));
  CHECK(quantizer->favourite() == 0);  // of equals the narrowest
  const Tensor even = (*quantizer)(x, true).value();
  for (const float value : even.span<float>()) CHECK(std::isfinite(value));
  set_attention(*quantizer, row({0.3F, not_a_number, 0.3F}));
  CHECK_THROWS_WITH(quantizer->convert2inferable(), Contains("attention is NaN"));
}

TEST_CASE("dqa: attention learns which width serves the loss, until it is annealed") {
  const auto quantizer = attention_quantizer(weights_config({.bits = 2, .threshold = {1}}));
  const ParameterPtr attention = quantizer->get_quantizer_variable("attention");
  const Tensor x = scattered(shape, 6);
  quantizer->set_training_progress(0.2);
  Tape tape;
  const Variable leaf = tape.watch(x), y = (*quantizer)(leaf, true);
  Tensor error = y.value().clone();  // the gradient of half the squared distance from x
  for (Index i = 0; i < x.size(); ++i) error.data<float>()[i] -= x.data<float>()[i];
  tape.backward(y, error);
  const float before = quantizer->probabilities().data<float>()[0];
  for (Index i = 0; i < 3; ++i) attention->value().data<float>()[i] -= 0.01F * attention->gradient().data<float>()[i];
  CHECK(quantizer->probabilities().data<float>()[0] < before - 1e-4F);  // 2 bits are what serves that loss worst
  CHECK(attention->trainable());
  quantizer->set_training_progress(0.5);
  CHECK_FALSE(attention->trainable());
  CHECK(quantizer->get_trainable_variables(ParameterGroup::qparams).size() == 1);  // the favourite's scale
  const TrainablePtr copy = quantizer->clone();
  CHECK(identical((*copy)(x, true).value(), (*quantizer)(x, false).value()));
  quantizer->set_training_progress(0);
  CHECK(attention->trainable());
}
