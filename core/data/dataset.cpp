#include <bitgrad/core/data/dataset.hpp>

#include <cmath>

#include <bitgrad/core/data/unit_range.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::data {

std::string_view name_of(Split split) { return split == Split::train ? "train" : "test"; }

void check_dataset(const Dataset& dataset, std::string_view what) {
  const auto& [images, labels, classes, class_names] = dataset;
  if (!images.defined() || images.dtype() != DType::uint8 || images.rank() != 4)
    fail<ShapeError>(what, ": images are ", images.dtype(), ' ', images.shape(), ", expected uint8 [N, H, W, C]");
  if (!labels.defined() || labels.dtype() != DType::int32 || labels.rank() != 1)
    fail<ShapeError>(what, ": labels are ", labels.dtype(), ' ', labels.shape(), ", expected int32 [N]");
  if (images.dim(0) != labels.dim(0))
    fail<ShapeError>(what, ": ", images.dim(0), " images but ", labels.dim(0), " labels");
  if (classes < 1) fail<ValueError>(what, ": ", classes, " classes, expected at least 1");
  if (!class_names.empty() && class_names.size() != static_cast<std::size_t>(classes))
    fail<ValueError>(what, ": ", class_names.size(), " class names for ", classes, " classes");
  const auto values = labels.span<std::int32_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] >= classes)
      fail<ValueError>(what, ": label ", i, " is ", values[i], ", expected 0 to ", classes - 1);
}

std::vector<Index> class_counts(const Dataset& dataset) {
  std::vector<Index> counts(static_cast<std::size_t>(dataset.classes));
  for (const std::int32_t label : dataset.labels.span<std::int32_t>()) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

ChannelStatistics channel_statistics(const Tensor& images) {
  if (!images.defined() || images.dtype() != DType::uint8 || images.rank() != 4)
    fail<ShapeError>("channel_statistics: images are ", images.dtype(), ' ', images.shape(),
                     ", expected uint8 [N, H, W, C]");
  const Index channels = images.dim(3);
  if (images.size() == 0) fail<ValueError>("channel_statistics: no pixels in images of shape ", images.shape());
  std::vector<std::int64_t> sums(static_cast<std::size_t>(channels)), squares(sums);
  const std::uint8_t* pixels = images.data<std::uint8_t>();
  for (Index i = 0; i < images.size(); i += channels)
    for (Index c = 0; c < channels; ++c) {
      const std::int64_t value = pixels[i + c];
      sums[static_cast<std::size_t>(c)] += value;
      squares[static_cast<std::size_t>(c)] += value * value;
    }
  const auto count = static_cast<double>(images.size() / channels);
  ChannelStatistics result{.mean = Tensor({channels}), .deviation = Tensor({channels})};
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const double mean = static_cast<double>(sums[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    result.mean.span<float>()[c] = static_cast<float>(mean / 255);
    result.deviation.span<float>()[c] = variance > 0 ? static_cast<float>(std::sqrt(variance) / 255) : 1.0F;
  }
  return result;
}

Tensor to_unit_range(const Tensor& images) {
  if (images.dtype() != DType::uint8 || !images.defined())
    fail<ShapeError>("to_unit_range: images are ", images.dtype(), ' ', images.shape(), ", expected uint8");
  constexpr Index grain = 1 << 16;
  Tensor result(images.shape());
  const std::uint8_t* source = images.data<std::uint8_t>();
  float* target = result.data<float>();
  parallel_for(images.size(), grain,
               [&](Index begin, Index end) { to_unit_range(source + begin, end - begin, target + begin); });
  return result;
}

}  // namespace bitgrad::data
