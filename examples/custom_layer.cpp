// A layer of your own: shapes, weights, computation and what it means for inference. It trains, is quantized with the
// model around it, converted and verified like the layers that come with bitgrad.
#include <iostream>

#include <bitgrad/bitgrad.hpp>

using namespace bitgrad;

namespace {

/// A 1x1 convolution and a clamp in one: min(max(x * kernel, 0), limit), from (h, w, in) to (h, w, filters).
class Pointwise : public LayerOf<Pointwise> {
 public:
  Pointwise(Index filters, float limit) : filters_(filters), limit_(limit) {}
  std::string_view type() const override { return "Pointwise"; }
  std::string_view name_stem() const override { return "pointwise"; }

  Shape output_shape(std::span<const Shape> inputs) const override {
    const Shape& image = image_input(inputs, type());  // refuses everything else
    return {image[0], image[1], filters_};
  }

  /// Computes with the weights it is given, so that somebody else may pass quantized ones.
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context&) override {
    const Variable& x = single_input(inputs, type());
    require_channels(x, weight("kernel")->value().dim(2), type());
    return clip(conv2d(x, weights["kernel"]), 0, limit_);
  }

  /// The same for inference. What has to be quantized is read off this.
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override {
    const GraphValue sum = builder.conv2d(inputs.front(), {}, {"kernel", weight("kernel")->value()}, {"bias", {}});
    return builder.clamp(sum, 0, limit_);
  }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override {
    Tensor kernel({1, 1, inputs.front()[-1], filters_});
    random.fill_uniform(kernel, -0.5, 0.5);
    add_weight("kernel", kernel);
  }

  Index filters_;
  float limit_;
};

}  // namespace

int main() {
  const Shape image{8, 8, 1};
  Model model =
      Sequential(Conv2D({.filters = 8, .kernel = 3}), ReLU(), Pointwise(4, 6), Flatten(), Dense({.units = 2}));
  model.build(image, 1);

  // Bright images are of class 1.
  data::Dataset dataset{.images = Tensor(image.prepended(256), DType::uint8),
                        .labels = Tensor({256}, DType::int32),
                        .classes = 2,
                        .class_names = {"dark", "bright"}};
  Random random(1);
  for (Index i = 0; i < 256; ++i) {
    const auto label = static_cast<std::int32_t>(i % 2);
    dataset.labels.span<std::int32_t>()[static_cast<std::size_t>(i)] = label;
    for (Index p = 0; p < 64; ++p)
      dataset.images.span<std::uint8_t>()[static_cast<std::size_t>(i * 64 + p)] =
          static_cast<std::uint8_t>(random.below(160) + (label == 1 ? 90 : 0));
  }
  fit(model, dataset, {.epochs = 10, .batch = 32, .learning_rate = 0.01});

  const Tensor x = data::to_unit_range(dataset.images);
  Model quantized = quantization_aware_training_init(
      model, x, {.weights = parse_quantizer_spec("lsq:4"), .activations = parse_quantizer_spec("lsq:4")});
  fit(quantized, dataset, quantized_training({.epochs = 2, .batch = 32}));
  const InferenceGraph graph = convert2inferable(quantized);
  std::cout << graph.describe() << "accuracy " << accuracy(graph, dataset) << '\n';
  const VerifyReport report = verify(quantized, graph, x);
  std::cout << report.differing_codes << " of " << report.codes_compared << " codes differ\n";
  return report.passed() && accuracy(graph, dataset) > 0.95 ? 0 : 1;
}
