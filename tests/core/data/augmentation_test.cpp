#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/core/data/loader.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>

using namespace bitgrad;
using namespace bitgrad::data;
using Catch::Contains;

namespace {

/// An image whose element i is i + 1, so that black is none of its own.
struct Picture {
  Index height, width, channels;
  std::vector<float> pixels;

  Picture(Index h, Index w, Index c) : height(h), width(w), channels(c) {
    for (Index i = 0; i < h * w * c; ++i) pixels.push_back(static_cast<float>(i + 1));
  }
  Picture changed(const Augmentation& augmentation, Random& random) const {
    Picture result = *this;
    augmentation({result.pixels.data(), height, width, channels}, random);
    return result;
  }
  float at(Index y, Index x, Index c) const { return pixels[static_cast<std::size_t>((y * width + x) * channels + c)]; }
};

/// How often each result appears in `times` draws, compared whole.
std::map<std::vector<float>, int> outcomes(const Picture& picture, const Augmentation& augmentation, int times) {
  std::map<std::vector<float>, int> counts;
  for (int i = 0; i < times; ++i) {
    Random random = Random(5).derive(static_cast<std::uint64_t>(i));
    ++counts[picture.changed(augmentation, random).pixels];
  }
  return counts;
}

/// The picture moved down and right; what comes in is black or, with `repeat`, the nearest pixel of the edge.
std::vector<float> moved(const Picture& picture, Index down, Index right, bool repeat) {
  std::vector<float> result;
  for (Index y = 0; y < picture.height; ++y)
    for (Index x = 0; x < picture.width; ++x)
      for (Index c = 0; c < picture.channels; ++c) {
        Index sy = y - down, sx = x - right;
        const bool inside = sy >= 0 && sy < picture.height && sx >= 0 && sx < picture.width;
        sy = std::clamp<Index>(sy, 0, picture.height - 1);
        sx = std::clamp<Index>(sx, 0, picture.width - 1);
        result.push_back(inside || repeat ? picture.at(sy, sx, c) : 0.0f);
      }
  return result;
}

Dataset noise(Index count) {
  Random random(3);
  Dataset dataset{Tensor({count, 6, 5, 2}, DType::uint8), Tensor::zeros({count}, DType::int32), 1, {}};
  for (std::uint8_t& pixel : dataset.images.span<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.below(256));
  return dataset;
}

/// The images of an epoch by their place in the epoch's order, whatever the batches.
std::vector<float> pixels_of(const Epoch& epoch) {
  std::vector<float> all;
  for (const Batch& batch : epoch) {
    const auto pixels = batch.images.span<float>();
    all.insert(all.end(), pixels.begin(), pixels.end());
  }
  return all;
}

constexpr const char* everything = "flip,shift:2,crop:1,rotate:20,cutout:2";

}  // namespace

TEST_CASE("augmentation: flip mirrors every row, every other time") {
  for (const Index width : {4, 5}) {
    const Picture picture(2, width, 3);
    std::vector<float> mirrored;
    for (Index y = 0; y < 2; ++y)
      for (Index x = 0; x < width; ++x)
        for (Index c = 0; c < 3; ++c) mirrored.push_back(picture.at(y, width - 1 - x, c));
    auto counts = outcomes(picture, flip(), 400);
    CHECK(counts.size() == 2);
    CHECK(counts[mirrored] > 150);
    CHECK(counts[picture.pixels] > 150);
  }
}

TEST_CASE("augmentation: shift and crop move by every whole number up to theirs, with edge or black coming in") {
  const Picture picture(4, 5, 2);
  for (const bool repeat : {true, false}) {
    auto counts = outcomes(picture, repeat ? shift(2) : crop(2), 1500);
    CHECK(counts.size() == 25);
    for (Index down = -2; down <= 2; ++down)
      for (Index right = -2; right <= 2; ++right) {
        INFO(repeat << ' ' << down << ' ' << right);
        CHECK(counts[moved(picture, down, right, repeat)] > 25);  // 60 expected
      }
  }
}

TEST_CASE("augmentation: rotate turns a quarter exactly, keeps the middle and interpolates between neighbours") {
  // The angle is drawn; with D = 90 the draws that give an angle are known, so the expected pixels can be computed in
  // another way.
  const Picture picture(5, 5, 1);
  const Augmentation turn = rotate(90);
  double largest = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    Random random(i), same(i);
    const Picture turned = picture.changed(turn, random);
    const double angle = (2 * same.uniform<double>() - 1) * std::acos(-1.0) / 2;
    CHECK(turned.at(2, 2, 0) == Approx(picture.at(2, 2, 0)));
    for (int y = 0; y < 5; ++y)
      for (int x = 0; x < 5; ++x) {
        const double sy = 2 + std::cos(angle) * (y - 2) + std::sin(angle) * (x - 2),
                     sx = 2 + std::cos(angle) * (x - 2) - std::sin(angle) * (y - 2);
        double expected = 0;  // the sum over all pixels of the hat functions around them
        for (int py = 0; py < 5; ++py)
          for (int px = 0; px < 5; ++px)
            expected += static_cast<double>(picture.at(py, px, 0)) * std::max(0.0, 1 - std::abs(sy - py)) *
                        std::max(0.0, 1 - std::abs(sx - px));
        largest = std::max(largest, std::abs(expected - static_cast<double>(turned.at(y, x, 0))));
      }
  }
  CHECK(largest < 1e-4);
  CHECK_THROWS_WITH(rotate(0), "rotate: 0 degrees, expected more than 0 and at most 180");
  CHECK_THROWS_AS(rotate(181), ValueError);
}

TEST_CASE("augmentation: cutout blackens a square around every pixel, cut off at the edge") {
  const Picture picture(4, 5, 2);
  std::set<std::pair<Index, Index>> corners;
  for (const auto& [pixels, count] : outcomes(picture, cutout(2), 1000)) {
    Index black = 0;
    std::set<Index> rows, columns;
    for (Index y = 0; y < 4; ++y)
      for (Index x = 0; x < 5; ++x) {
        const auto at = static_cast<std::size_t>((y * 5 + x) * 2);
        CHECK((pixels[at] == 0) == (pixels[at + 1] == 0));
        if (pixels[at] != 0) {
          CHECK(pixels[at] == picture.pixels[at]);
          continue;
        }
        ++black;
        rows.insert(y);
        columns.insert(x);
      }
    CHECK(black == static_cast<Index>(rows.size() * columns.size()));
    CHECK(rows.size() <= 2);
    CHECK(columns.size() <= 2);
    corners.insert({*rows.begin() - (rows.size() < 2 ? 1 : 0), *columns.begin() - (columns.size() < 2 ? 1 : 0)});
  }
  CHECK(corners.size() == 20);  // one for each pixel of the image
}

TEST_CASE("augmentation: a text is its steps in order") {
  const Picture picture(6, 6, 1);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random a(seed), b(seed), c(seed);
    const Picture text = picture.changed(parse_augmentation("flip,cutout:3,shift:2"), a);
    CHECK(text.pixels == picture.changed(in_sequence({flip(), {}, cutout(3), shift(2)}), b).pixels);
    CHECK(text.pixels == picture.changed(flip(), c).changed(cutout(3), c).changed(shift(2), c).pixels);
  }
  CHECK_FALSE(parse_augmentation("none"));
  CHECK_FALSE(in_sequence({{}, {}}));
  for (const char* name : {"flip ", "shift:N", "crop:N", "rotate:D", "cutout:N"})
    CHECK_THAT(describe_augmentations(), Contains(name));
}

TEST_CASE("augmentation: texts that cannot be read are refused with what was expected") {
  const auto refused = [](const char* spec, const std::string& reason) {
    CHECK_THROWS_WITH(parse_augmentation(spec), reason);
    CHECK_THROWS_AS(parse_augmentation(spec), ValueError);
  };
  refused("filp", "unknown augmentation \"filp\" (did you mean \"flip\"? known: flip, shift, crop, rotate, cutout)");
  refused("flip,shift", "augmentation \"shift\": expected shift:N, N a whole number, as in shift:4");
  refused("shift:two", "augmentation \"shift:two\": expected shift:N, N a whole number, as in shift:4");
  refused("crop:2.5", "augmentation \"crop:2.5\": expected crop:N, N a whole number, as in crop:4");
  refused("crop:1e30", "augmentation \"crop:1e30\": expected crop:N, N a whole number, as in crop:4");
  refused("rotate:x", "augmentation \"rotate:x\": expected rotate:D, D a number, as in rotate:4");
  refused("rotate:-3", "rotate: -3 degrees, expected more than 0 and at most 180");
  refused("shift:0", "shift: 0 pixels, expected at least 1");
  refused("flip:3", "augmentation \"flip:3\": flip takes no number");
  refused("flip,,crop:1", "augmentation \"flip,,crop:1\": a step is empty, expected none or steps as in flip,shift:4");
  refused("", "augmentation \"\": a step is empty, expected none or steps as in flip,shift:4");
  refused("flip,mixup:0.2",
          "augmentation \"mixup\": mixes labels too, so that it is no step but an option: --mixup, in C++ "
          "TrainingOptions::mixup");
  refused("normalise",
          "augmentation \"normalise\": ships with the model, so that it is part of its name: "
          "resnet8:normalized");
  refused("flip,none", "unknown augmentation \"none\" (known: flip, shift, crop, rotate, cutout)");
  Random random(1);
  for (const char* step : {"shift:4", "crop:4", "cutout:4"}) {
    INFO(step);
    CHECK_THROWS_WITH(Picture(6, 4, 1).changed(parse_augmentation(step), random),
                      std::string(step) + " for images of 6 x 4 pixels, expected less than either side");
  }
}

TEST_CASE("loader: augmented images depend neither on threads nor on the batch size nor on their place in the epoch") {
  const auto loader = [](Index batch, bool shuffle = false, std::uint64_t seed = 4) {
    return Loader(
        noise(61),
        {.batch_size = batch, .shuffle = shuffle, .seed = seed, .augmentation = parse_augmentation(everything)});
  };
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<float> expected = pixels_of(loader(8).epoch(3));
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const Index batch : {1, 7, 61, 100}) {
      INFO(threads << " threads, batches of " << batch);
      CHECK(pixels_of(loader(batch).epoch(3)) == expected);
    }
  }
  set_num_threads(before);
  CHECK(pixels_of(loader(8).epoch(2)) != expected);
  CHECK(pixels_of(loader(8, false, 5).epoch(3)) != expected);

  // Shuffled, the same images come in another order.
  std::multiset<std::vector<float>> in_order, shuffled;
  const std::vector<float> other = pixels_of(loader(8, true).epoch(3));
  for (std::size_t at = 0; at < expected.size(); at += 60) {
    in_order.insert(
        {expected.begin() + static_cast<std::ptrdiff_t>(at), expected.begin() + static_cast<std::ptrdiff_t>(at + 60)});
    shuffled.insert(
        {other.begin() + static_cast<std::ptrdiff_t>(at), other.begin() + static_cast<std::ptrdiff_t>(at + 60)});
  }
  CHECK(other != expected);
  CHECK(in_order == shuffled);
}

TEST_CASE("loader: an augmentation of one's own is a function, and what it throws arrives") {
  const Augmentation invert = [](const ImageView& image, Random&) {
    for (Index i = 0; i < image.size(); ++i) image.pixels[i] = 1 - image.pixels[i];
  };
  const auto plain = pixels_of(Loader(noise(5), {.batch_size = 2, .shuffle = false}).epoch(0));
  const auto inverted =
      pixels_of(Loader(noise(5), {.batch_size = 2, .shuffle = false, .augmentation = invert}).epoch(0));
  for (std::size_t i = 0; i < plain.size(); ++i) REQUIRE(inverted[i] == 1 - plain[i]);
  const Augmentation broken = [](const ImageView&, Random&) { fail<ValueError>("mine: no"); };
  CHECK_THROWS_WITH(Loader(noise(5), {.augmentation = broken}).epoch(0)[0], "mine: no");
}
