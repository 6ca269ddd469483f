#include <bitgrad/core/data/loader.hpp>

#include <algorithm>
#include <numeric>

#include <bitgrad/core/data/unit_range.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad::data {
namespace {

constexpr std::uint64_t shuffle_stream =
    0x73687566666c65;  // apart from the streams that others draw from the same seed
constexpr std::uint64_t augmentation_stream = 0x6175676d656e74;
constexpr Index pixels_per_chunk = 1 << 15;

/// `change(index of the sample, its pixels in the batch)` for every image.
template <class Change>
Batch make_batch(const Dataset& dataset, std::span<const Index> indices, Change&& change) {
  const auto count = static_cast<Index>(indices.size());
  for (const Index index : indices)
    if (index < 0 || index >= dataset.size())
      fail<ValueError>("gather: index ", index, " is outside the data set's ", dataset.size(), " samples");
  Batch batch{Tensor(dataset.images.shape().with(0, count)), Tensor({count}, DType::int32)};
  const Index pixels = dataset.images.shape().without_front().size();
  const std::uint8_t* source = dataset.images.data<std::uint8_t>();
  const std::int32_t* labels = dataset.labels.data<std::int32_t>();
  float* images = batch.images.data<float>();
  std::int32_t* batch_labels = batch.labels.data<std::int32_t>();
  parallel_for(count, std::max<Index>(1, pixels_per_chunk / std::max<Index>(1, pixels)), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index sample = indices[static_cast<std::size_t>(i)];
      to_unit_range(source + sample * pixels, pixels, images + i * pixels);
      batch_labels[i] = labels[sample];
      change(sample, images + i * pixels);
    }
  });
  return batch;
}

}  // namespace

Batch gather(const Dataset& dataset, std::span<const Index> indices) {
  return make_batch(dataset, indices, [](Index, float*) {});
}

Batch Epoch::operator[](Index i) const {
  if (i < 0 || i >= batches_) fail<ValueError>("Epoch: batch ", i, ", expected 0 to ", batches_ - 1);
  const Index begin = i * batch_size_;
  const Index end = std::min(begin + batch_size_, static_cast<Index>(order_.size()));
  const auto indices =
      std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  if (!augmentation_) return gather(dataset_, indices);
  const Shape shape = dataset_.images.shape();
  return make_batch(dataset_, indices, [&](Index sample, float* pixels) {
    Random random = random_.derive(static_cast<std::uint64_t>(sample));
    augmentation_({.pixels = pixels, .height = shape[1], .width = shape[2], .channels = shape[3]}, random);
  });
}

Loader::Loader(Dataset dataset, const LoaderOptions& options) : dataset_(std::move(dataset)), options_(options) {
  check_dataset(dataset_, "Loader");
  if (options.batch_size < 1) fail<ValueError>("Loader: batch_size is ", options.batch_size, ", expected at least 1");
  if (options.limit < 0) fail<ValueError>("Loader: limit is ", options.limit, ", expected 0 (all samples) or more");
  available_ = options.limit > 0 ? std::min(options.limit, dataset_.size()) : dataset_.size();
  if (available_ == 0) fail<ValueError>("Loader: the data set has no samples");
  batches_ = options.drop_last ? available_ / options.batch_size : chunk_count(available_, options.batch_size);
  if (batches_ == 0)
    fail<ValueError>("Loader: drop_last leaves no batch: ", available_, " samples, batch_size ", options.batch_size);
  samples_ = std::min(available_, batches_ * options.batch_size);
}

Epoch Loader::epoch(Index number) const {
  if (number < 0) fail<ValueError>("Loader::epoch: number is ", number, ", expected at least 0");
  Epoch result;
  result.dataset_ = dataset_;
  result.batch_size_ = options_.batch_size;
  result.batches_ = batches_;
  result.augmentation_ = options_.augmentation;
  result.random_ = Random(options_.seed, augmentation_stream).derive(static_cast<std::uint64_t>(number));
  if (options_.shuffle) {
    result.order_ =
        Random(options_.seed, shuffle_stream).derive(static_cast<std::uint64_t>(number)).permutation(available_);
  } else {
    result.order_.resize(static_cast<std::size_t>(available_));
    std::iota(result.order_.begin(), result.order_.end(), Index{0});
  }
  return result;
}

}  // namespace bitgrad::data
