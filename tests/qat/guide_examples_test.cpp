// The examples of the reference system's guides, in C++: what a reader of those pages tries first.
#include <catch2/catch.hpp>

#include <algorithm>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/register.hpp>
#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// Symmetric weights with a learned threshold, by ordinary arithmetic; conversion goes to a uniform quantizer.
class MyWeightsTrainingQuantizer
    : public TrainableQuantizer<MyWeightsTrainingQuantizer, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "guide-example");

  explicit MyWeightsTrainingQuantizer(const TrainableQuantizerWeightsConfig& config) : TrainableQuantizer(config) {}

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    add_quantizer_variable("new_parameter", std::make_shared<Parameter>(message(name, "_new_parameter"),
                                                                        config().param("threshold").to(DType::float32),
                                                                        ParameterGroup::qparams));
  }
  Variable operator()(const Variable& x, bool) override {
    const Variable step = threshold() / half();
    return step * ste_round(clip(x / step, -half(), half() - 1));
  }
  InferablePtr convert2inferable() const override {
    const Tensor t = get_quantizer_variable("new_parameter")->value().to(DType::float64);
    WeightsUniformInferableQuantizer::Options options{.num_bits = config().n_bits,
                                                      .per_channel = config().weights_per_channel_threshold,
                                                      .channel_axis = config().weights_channels_axis};
    for (const double value : t.span<double>()) {
      options.min_range.push_back(-value);
      options.max_range.push_back(value - value / half());
    }
    return std::make_unique<WeightsUniformInferableQuantizer>(options);
  }

 private:
  double half() const { return 1 << (config().n_bits - 1); }
  Variable threshold() const { return variable_of(get_quantizer_variable("new_parameter")); }
};

/// Signed activations with a learned threshold.
class MyActivationsTrainingQuantizer
    : public TrainableQuantizer<MyActivationsTrainingQuantizer, TrainableQuantizerActivationConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::SYMMETRIC}, "guide-example");

  explicit MyActivationsTrainingQuantizer(const TrainableQuantizerActivationConfig& config)
      : TrainableQuantizer(config) {}

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    add_quantizer_variable("new_parameter",
                           std::make_shared<Parameter>(message(name, "_new_parameter"),
                                                       config().param("threshold").to(DType::float32).reshape({1}),
                                                       ParameterGroup::qparams));
  }
  Variable operator()(const Variable& x, bool) override {
    const double half = 1 << (config().n_bits - 1);
    const Variable step = variable_of(get_quantizer_variable("new_parameter")) / half;
    return step * ste_round(clip(x / step, -half, half - 1));
  }
  InferablePtr convert2inferable() const override {
    return std::make_unique<ActivationSymmetricInferableQuantizer>(ActivationSymmetricInferableQuantizer::Options{
        .num_bits = config().n_bits,
        .threshold = {get_quantizer_variable("new_parameter")->value().item()},
        .is_signed = true});
  }
};

/// The guide's configuration: power of two, 9 bits, a threshold per channel of axis -1, min_threshold 0.
TrainableQuantizerWeightsConfig guide_config() {
  TrainableQuantizerWeightsConfig config;
  config.method = QuantizationMethod::POWER_OF_TWO;
  config.n_bits = 9;
  config.quantization_params["threshold"] = Tensor::from(Shape{1, 1, 1, 3}, std::vector<double>{2, 4, 1});
  config.enable_quantization = true;
  config.weights_channels_axis = -1;
  config.weights_per_channel_threshold = true;
  config.min_threshold = 0;
  return config;
}

}  // namespace

TEST_CASE("guide: 8-bit symmetric weights with thresholds 2, 4 and 1 on a (1, 3, 3, 3) tensor") {
  const WeightsSymmetricInferableQuantizer quantizer(
      {.num_bits = 8, .threshold = {2, 4, 1}, .per_channel = true, .channel_axis = -1});
  const Tensor x = Dice(1).tensor({1, 3, 3, 3}, -50, 50);
  const Tensor y = quantizer(x);
  CHECK(y.shape() == x.shape());
  const auto values = y.span<float>();
  CHECK(*std::ranges::max_element(values) == 4 - 4.0F / 128);
  CHECK(*std::ranges::min_element(values) == -4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float t = i % 3 == 0 ? 2.0F : i % 3 == 1 ? 4.0F : 1.0F;
    CHECK(values[i] >= -t);
    CHECK(values[i] < t);
  }
}

TEST_CASE("guide: the signed 8-bit quantizer for -2 to 2, in a dispatcher, around a convolution of 6 filters of 7x7") {
  const WeightsSymmetricInferableQuantizer quantizer({.num_bits = 8, .threshold = {2}});
  const Grid grid = quantizer.grid();
  CHECK(grid.is_signed());
  CHECK(static_cast<float>(grid.lo) * grid.scale[0] == -2);
  CHECK(static_cast<float>(grid.hi) * grid.scale[0] == 2 - 2.0F / 128);

  NodeQuantizationDispatcher dispatcher({{"kernel", InferablePtr(quantizer.clone())}});
  CHECK(dispatcher.is_weights_quantization());
  CHECK_FALSE(dispatcher.is_activation_quantization());
  QuantizationWrapper wrapper(Conv2D({.filters = 6, .kernel = 7, .padding = Padding::valid(), .bias = false}),
                              dispatcher);
  const Shape sample{32, 32, 3};
  Random random(3);
  CHECK(wrapper.build({&sample, 1}, random) == Shape{26, 26, 6});
  const ParameterPtr kernel = wrapper.layer().weight("kernel");
  kernel->assign(Dice(2).tensor({7, 7, 3, 6}, -3, 3));
  const Tensor before = kernel->value().clone();
  const Tensor x = Dice(3).tensor({2, 32, 32, 3}, -1, 1);
  const Tensor y = wrapper.forward(Variable(x)).value();
  CHECK(identical(y, conv2d(x, quantizer(before)).value()));
  CHECK(identical(kernel->value(), before));
}

TEST_CASE("guide: a weights quantizer of one's own learns its new parameter and converts") {
  MyWeightsTrainingQuantizer quantizer(guide_config());
  const Shape shape{3, 3, 2, 3};
  quantizer.initialize_quantization(shape, "kernel");
  REQUIRE(quantizer.get_trainable_variables(ParameterGroup::qparams).size() == 1);
  const ParameterPtr threshold = quantizer.get_quantizer_variable("new_parameter");
  CHECK(threshold->name() == "kernel_new_parameter");

  const Tensor x = Dice(4).tensor(shape, -5, 5);
  Tape tape;
  const Variable w = tape.watch(x);
  const Variable y = quantizer(w, true);
  tape.backward(mean(y * y));
  const Tensor gradient = threshold->gradient();
  CHECK(gradient.shape() == Shape{1, 1, 1, 3});
  for (const float g : gradient.span<float>()) CHECK(g != 0);

  const InferablePtr frozen = quantizer.convert2inferable();
  CHECK(frozen->type() == "WeightsUniformInferableQuantizer");
  CHECK(frozen->bits() == 9);
  CHECK(frozen->grid().scale == std::vector<float>{2.0F / 256, 4.0F / 256, 1.0F / 256});
  CHECK(identical((*frozen)(x), y.value()));  // powers of two: nothing is lost on the way to a range
  CHECK(inferable_from_json(frozen->to_json())->grid() == frozen->grid());

  TrainableQuantizerWeightsConfig uniform = guide_config();
  uniform.method = QuantizationMethod::UNIFORM;
  CHECK_THROWS_WITH(MyWeightsTrainingQuantizer(uniform),
                    Catch::Contains("MyWeightsTrainingQuantizer") && Catch::Contains("UNIFORM"));
}

TEST_CASE("guide: an activation quantizer of one's own learns, converts, and both are found by their name") {
  TrainableQuantizerActivationConfig config;
  config.method = QuantizationMethod::SYMMETRIC;
  config.n_bits = 8;
  config.quantization_params["threshold"] = Tensor::scalar(2, DType::float64);
  config.quantization_params["is_signed"] = Tensor::scalar(1, DType::float64);
  MyActivationsTrainingQuantizer quantizer(config);
  quantizer.initialize_quantization(std::nullopt, "activation");
  const Tensor x = Dice(5).tensor({4, 6}, -4, 4);
  Tape tape;
  const Variable y = quantizer(tape.watch(x), true);
  tape.backward(mean(y * y));
  CHECK(quantizer.get_quantizer_variable("new_parameter")->gradient().item() != 0);
  CHECK(identical((*quantizer.convert2inferable())(x), y.value()));

  register_quantizer<MyWeightsTrainingQuantizer>();
  register_quantizer<MyActivationsTrainingQuantizer>();
  const auto& found =
      get_trainable_quantizer_class(QuantizationTarget::Weights, "guide-example", QuantizationMethod::POWER_OF_TWO);
  CHECK_THAT(found.class_name, Catch::EndsWith("MyWeightsTrainingQuantizer"));
  CHECK(make_trainable("guide-example", config)->identifier() == "guide-example");
}
