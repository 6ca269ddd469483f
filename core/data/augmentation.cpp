#include <bitgrad/core/data/augmentation.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::data {
namespace {

void require_pixels(const char* name, Index pixels) {
  if (pixels < 1) fail<ValueError>(name, ": ", pixels, " pixels, expected at least 1");
}

void require_room(const char* name, Index pixels, const ImageView& image) {
  if (pixels >= std::min(image.height, image.width))
    fail<ValueError>(name, ':', pixels, " for images of ", image.height, " x ", image.width,
                     " pixels, expected less than either side");
}

/// A whole number from -most to most.
Index either_way(Index most, Random& random) { return random.below(2 * most + 1) - most; }

std::vector<float> copy_of(const ImageView& image) { return {image.pixels, image.pixels + image.size()}; }

void blacken(const ImageView& image, Index y, Index begin, Index end) {
  if (begin < end) std::fill(image.at(y, begin), image.at(y, end), 0.0f);
}

/// What comes in where an image has moved away.
enum class Border { black, edge };

/// Moves the image down and to the right (up and to the left where negative), by less than its sides.
void move(const ImageView& image, Index down, Index right, Border border) {
  const std::vector<float> before = copy_of(image);
  const Index begin = std::max<Index>(right, 0), end = image.width + std::min<Index>(right, 0),
              row = image.channels * image.width;
  for (Index y = 0; y < image.height; ++y) {
    const Index source = y - down, nearest = std::clamp<Index>(source, 0, image.height - 1);
    if (border == Border::black && source != nearest) {
      blacken(image, y, 0, image.width);
      continue;
    }
    const float* from = before.data() + nearest * row;
    std::copy_n(from + (begin - right) * image.channels, (end - begin) * image.channels, image.at(y, begin));
    if (border == Border::black) {
      blacken(image, y, 0, begin);
      blacken(image, y, end, image.width);
      continue;
    }
    for (Index x = 0; x < begin; ++x) std::copy_n(from, image.channels, image.at(y, x));
    for (Index x = end; x < image.width; ++x) std::copy_n(from + row - image.channels, image.channels, image.at(y, x));
  }
}

/// Sine and cosine of |angle| <= pi by their power series, whose terms have vanished at the 30th power: unlike those of
/// the C library the same bits on every system.
std::pair<double, double> sine_cosine(double angle) {
  double sine = 0, cosine = 0, term = 1;
  for (int power = 0; power <= 30; ++power) {
    (power % 2 == 0 ? cosine : sine) += power % 4 < 2 ? term : -term;
    term *= angle / (power + 1);
  }
  return {sine, cosine};
}

/// floor(value), without the call that it costs where the processor is not known to round.
Index floor_of(double value) {
  const auto whole = static_cast<Index>(value);
  return whole - (value < static_cast<double>(whole) ? 1 : 0);
}

/// Bilinear between the four neighbours of (y, x); pixels outside of the image are black.
void interpolate(const ImageView& from, double y, double x, float* out) {
  const Index row = floor_of(y), column = floor_of(x);
  const auto down = static_cast<float>(y - static_cast<double>(row)),
             right = static_cast<float>(x - static_cast<double>(column));
  const bool inside = row >= 0 && row + 1 < from.height && column >= 0 && column + 1 < from.width;
  const auto pixel = [&](Index py, Index px, Index channel) {
    const bool seen = inside || (py >= 0 && py < from.height && px >= 0 && px < from.width);
    return seen ? from.at(py, px)[channel] : 0.0f;
  };
  for (Index c = 0; c < from.channels; ++c) {
    const float upper = (1 - right) * pixel(row, column, c) + right * pixel(row, column + 1, c);
    const float lower = (1 - right) * pixel(row + 1, column, c) + right * pixel(row + 1, column + 1, c);
    out[c] = (1 - down) * upper + down * lower;
  }
}

void turn(const ImageView& image, double radians) {
  std::vector<float> before = copy_of(image);
  const ImageView from{before.data(), image.height, image.width, image.channels};
  const auto [sine, cosine] = sine_cosine(radians);
  const double middle_y = static_cast<double>(image.height - 1) / 2,
               middle_x = static_cast<double>(image.width - 1) / 2;
  for (Index y = 0; y < image.height; ++y)
    for (Index x = 0; x < image.width; ++x) {
      const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
      interpolate(from, middle_y + cosine * dy + sine * dx, middle_x + cosine * dx - sine * dy, image.at(y, x));
    }
}

}  // namespace

Augmentation flip() {
  return [](const ImageView& image, Random& random) {
    if (random.below(2) == 0) return;
    for (Index y = 0; y < image.height; ++y)
      for (Index x = 0; x < image.width / 2; ++x)
        std::swap_ranges(image.at(y, x), image.at(y, x) + image.channels, image.at(y, image.width - 1 - x));
  };
}

Augmentation shift(Index pixels) {
  require_pixels("shift", pixels);
  return [pixels](const ImageView& image, Random& random) {
    require_room("shift", pixels, image);
    const Index down = either_way(pixels, random), right = either_way(pixels, random);
    move(image, down, right, Border::edge);
  };
}

Augmentation crop(Index padding) {
  require_pixels("crop", padding);
  return [padding](const ImageView& image, Random& random) {
    require_room("crop", padding, image);
    const Index down = either_way(padding, random), right = either_way(padding, random);
    move(image, down, right, Border::black);
  };
}

Augmentation rotate(double degrees) {
  if (!(degrees > 0 && degrees <= 180))
    fail<ValueError>("rotate: ", degrees, " degrees, expected more than 0 and at most 180");
  constexpr double pi = 3.14159265358979323846;
  const double most = degrees / 180 * pi;
  return [most](const ImageView& image, Random& random) { turn(image, (2 * random.uniform<double>() - 1) * most); };
}

Augmentation cutout(Index size) {
  require_pixels("cutout", size);
  return [size](const ImageView& image, Random& random) {
    require_room("cutout", size, image);
    const Index top = random.below(image.height) - size / 2, left = random.below(image.width) - size / 2;
    for (Index y = std::max<Index>(0, top); y < std::min(top + size, image.height); ++y)
      blacken(image, y, std::max<Index>(0, left), std::min(left + size, image.width));
  };
}

Augmentation in_sequence(std::vector<Augmentation> steps) {
  std::erase_if(steps, [](const Augmentation& step) { return step == nullptr; });
  if (steps.empty()) return {};
  return [steps = std::move(steps)](const ImageView& image, Random& random) {
    for (const Augmentation& step : steps) step(image, random);
  };
}

// ---- as text ----

namespace {

struct Known {
  std::string_view name, argument, sentence;
  Augmentation (*make)(double number);
};

constexpr Known known[] = {
    {"flip", "", "mirrored left and right, every other time", [](double) { return flip(); }},
    {"shift", "N", "moved by up to N pixels each way, the edge repeated",
     [](double n) { return shift(static_cast<Index>(n)); }},
    {"crop", "N", "moved by up to N pixels each way, black coming in",
     [](double n) { return crop(static_cast<Index>(n)); }},
    {"rotate", "D", "turned by up to D degrees either way", [](double d) { return rotate(d); }},
    {"cutout", "N", "a black square of N x N pixels", [](double n) { return cutout(static_cast<Index>(n)); }},
};

std::string form_of(const Known& each) { return message(each.name, each.argument.empty() ? "" : ":", each.argument); }

std::optional<double> number_in(std::string_view text, bool whole) {
  constexpr double most = 1e6;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool complete = error == std::errc{} && end == text.data() + text.size();
  if (!complete || !(std::abs(value) <= most) || (whole && value != std::floor(value))) return std::nullopt;
  return value;
}

/// What people look for here and find elsewhere is told where.
[[noreturn]] void refuse_unknown(const std::string& name) {
  if (name == "mixup")
    fail<ValueError>(
        "augmentation \"mixup\": mixes labels too, so that it is no step but an option: --mixup, in C++ "
        "TrainingOptions::mixup");
  if (name == "normalize" || name == "normalise")
    fail<ValueError>("augmentation \"", name,
                     "\": ships with the model, so that it is part of its name: ", "resnet8:normalized");
  std::vector<std::string> names;
  for (const Known& each : known) names.emplace_back(each.name);
  throw ValueError(unknown_name("augmentation", name, names));
}

Augmentation parse_step(std::string_view step) {
  const std::size_t colon = step.find(':');
  const std::string name(step.substr(0, colon));
  const Known* found = std::ranges::find(known, name, &Known::name);
  if (found == std::end(known)) refuse_unknown(name);
  if (found->argument.empty()) {
    if (colon != std::string_view::npos) fail<ValueError>("augmentation \"", step, "\": ", name, " takes no number");
    return found->make(0);
  }
  const std::string_view text = colon == std::string_view::npos ? "" : step.substr(colon + 1);
  const std::optional<double> number = number_in(text, found->argument == "N");
  if (!number)
    fail<ValueError>("augmentation \"", step, "\": expected ", form_of(*found), ", ",
                     found->argument == "N" ? "N a whole number" : "D a number", ", as in ", name, ":4");
  return found->make(*number);
}

}  // namespace

Augmentation parse_augmentation(std::string_view spec) {
  if (spec == "none") return {};
  std::vector<Augmentation> steps;
  for (std::size_t begin = 0; begin <= spec.size();) {
    const std::size_t end = std::min(spec.find(',', begin), spec.size());
    if (end == begin)
      fail<ValueError>("augmentation \"", spec, "\": a step is empty, expected none or steps as in flip,shift:4");
    steps.push_back(parse_step(spec.substr(begin, end - begin)));
    begin = end + 1;
  }
  return in_sequence(std::move(steps));
}

std::string describe_augmentations() {
  constexpr std::size_t width = 12;
  std::string text;
  for (const Known& each : known) {
    std::string form = form_of(each);
    form.resize(std::max(width, form.size() + 1), ' ');
    text += message("  ", form, each.sentence, '\n');
  }
  return text;
}

}  // namespace bitgrad::data
