// Data of your own: images made or read by your program, checked, augmented by a function of yours, in batches.
#include <algorithm>
#include <iostream>

#include <bitgrad/bitgrad.hpp>

using namespace bitgrad;

namespace {

constexpr Index side = 12;

/// Noise with a bright bar of 2 pixels: lying (class 0) or standing (class 1).
data::Dataset bars(Index samples, std::uint64_t seed) {
  data::Dataset dataset{.images = Tensor({samples, side, side, 1}, DType::uint8),
                        .labels = Tensor({samples}, DType::int32),
                        .classes = 2,
                        .class_names = {"lying", "standing"}};
  Random random(seed);
  const auto pixels = dataset.images.span<std::uint8_t>();
  for (Index i = 0; i < samples; ++i) {
    const bool standing = i % 2 == 1;
    const auto at = static_cast<Index>(random.below(side - 1));
    dataset.labels.span<std::int32_t>()[static_cast<std::size_t>(i)] = standing ? 1 : 0;
    for (Index y = 0; y < side; ++y)
      for (Index x = 0; x < side; ++x) {
        const Index across = standing ? x : y;
        const bool bright = across == at || across == at + 1;
        pixels[static_cast<std::size_t>((i * side + y) * side + x)] =
            static_cast<std::uint8_t>(random.below(120) + (bright ? 100 : 0));
      }
  }
  data::check_dataset(dataset, "bars");  // dtypes, ranks, counts and labels fit, or an exception says what does not
  return dataset;
}

/// An augmentation of one's own: another brightness, drawn from `random` alone, which belongs to this image.
void change_brightness(const data::ImageView& image, Random& random) {
  const float factor = 0.7F + 0.6F * random.uniform<float>();
  for (float* pixel = image.pixels; pixel != image.pixels + image.size(); ++pixel)
    *pixel = std::min(1.0F, *pixel * factor);
}

}  // namespace

int main() {
  const data::Dataset train = bars(512, 1), test = bars(256, 2);

  // The training loop below is the library's; a loop of your own takes batches from the loader.
  const data::Loader loader(train, {.batch_size = 100, .shuffle = true, .seed = 1, .augmentation = change_brightness});
  for (const data::Batch& batch : loader.epoch(0))
    std::cout << "batch of " << batch.size() << ", images " << batch.images.shape() << '\n';

  Model model = Sequential(Conv2D({.filters = 8, .kernel = 5}), ReLU(), GlobalAveragePool2D(), Dense({.units = 2}));
  model.build({side, side, 1}, 1);
  const TrainingOptions options{.epochs = 10, .batch = 32, .learning_rate = 0.01, .augmentation = "shift:2"};
  Trainer(model, train, options, change_brightness).fit();
  const double share = accuracy(model, test);
  std::cout << "accuracy " << share << '\n';
  return share > 0.9 ? 0 : 1;
}
