#include <bitgrad/core/data/hold_out.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad::data {
namespace {

constexpr std::uint64_t hold_out_stream =
    0x686f6c646f7574;  // "holdout": apart from others that draw from the same seed

std::string class_text(const Dataset& dataset, std::size_t label) {
  return dataset.class_names.empty() ? message("class ", label)
                                     : message("class ", label, " (", dataset.class_names[label], ")");
}

}  // namespace

HoldOut hold_out(const Dataset& dataset, double share, std::uint64_t seed) {
  if (!(share > 0 && share < 1))
    fail<ValueError>("hold_out: share is ", share, ", expected more than 0 and less than 1");
  check_dataset(dataset, "hold_out");
  std::vector<std::vector<Index>> members(static_cast<std::size_t>(dataset.classes));
  const auto labels = dataset.labels.span<std::int32_t>();
  for (std::size_t i = 0; i < labels.size(); ++i)
    members[static_cast<std::size_t>(labels[i])].push_back(static_cast<Index>(i));

  std::vector<bool> is_held(labels.size());
  for (std::size_t label = 0; label < members.size(); ++label) {
    const auto count = static_cast<Index>(members[label].size());
    if (count == 0) continue;
    if (count == 1)
      fail<ValueError>("hold_out: ", class_text(dataset, label), " has one sample, expected none or at least 2");
    const Index wanted = std::clamp<Index>(std::llround(share * static_cast<double>(count)), 1, count - 1);
    Random random = Random(seed, hold_out_stream).derive(label);
    const std::vector<Index> order = random.permutation(count);
    for (Index i = 0; i < wanted; ++i)
      is_held[static_cast<std::size_t>(members[label][static_cast<std::size_t>(order[static_cast<std::size_t>(i)])])] =
          true;
  }
  std::vector<Index> rest, held;
  for (std::size_t i = 0; i < is_held.size(); ++i) (is_held[i] ? held : rest).push_back(static_cast<Index>(i));
  return {select(dataset, rest), select(dataset, held)};
}

Dataset select(const Dataset& dataset, const std::vector<Index>& indices) {
  const auto count = static_cast<Index>(indices.size());
  Dataset result{.images = Tensor(dataset.images.shape().with(0, count), DType::uint8),
                 .labels = Tensor({count}, DType::int32),
                 .classes = dataset.classes,
                 .class_names = dataset.class_names};
  const Index pixels = dataset.images.shape().without_front().size();
  for (Index i = 0; i < count; ++i) {
    const Index sample = indices[static_cast<std::size_t>(i)];
    if (sample < 0 || sample >= dataset.size())
      fail<ValueError>("select: index ", sample, " is outside the data set's ", dataset.size(), " samples");
    std::memcpy(result.images.data<std::uint8_t>() + i * pixels, dataset.images.data<std::uint8_t>() + sample * pixels,
                static_cast<std::size_t>(pixels));
    result.labels.data<std::int32_t>()[i] = dataset.labels.data<std::int32_t>()[sample];
  }
  return result;
}

}  // namespace bitgrad::data
