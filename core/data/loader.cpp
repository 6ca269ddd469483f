#include <bitgrad/core/data/loader.hpp>

#include <algorithm>
#include <numeric>

#include <bitgrad/core/data/mixup.hpp>
#include <bitgrad/core/data/unit_range.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad::data {
namespace {

constexpr std::uint64_t shuffle_stream =
    0x73687566666c65;  // apart from the streams that others draw from the same seed
constexpr std::uint64_t augmentation_stream = 0x6175676d656e74;
constexpr std::uint64_t mixup_stream = 0x6d69787570;
constexpr Index pixels_per_chunk = 1 << 15;

Index pixels_of(const Dataset& dataset) { return dataset.images.shape().without_front().size(); }

void fill_plain(const Dataset& dataset, Index sample, float* pixels) {
  const Index count = pixels_of(dataset);
  to_unit_range(dataset.images.data<std::uint8_t>() + sample * count, count, pixels);
}

/// `fill(index of the sample, its place in the batch, its pixels in the batch)` for every image.
template <class Fill>
void fill_batch(const Dataset& dataset, std::span<const Index> indices, Batch& batch, Fill&& fill) {
  const Index pixels = pixels_of(dataset);
  const std::int32_t* labels = dataset.labels.data<std::int32_t>();
  float* images = batch.images.data<float>();
  std::int32_t* batch_labels = batch.labels.data<std::int32_t>();
  parallel_for(static_cast<Index>(indices.size()), std::max<Index>(1, pixels_per_chunk / std::max<Index>(1, pixels)),
               [&](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i) {
                   const Index sample = indices[static_cast<std::size_t>(i)];
                   batch_labels[i] = labels[sample];
                   fill(sample, i, images + i * pixels);
                 }
               });
}

Batch empty_batch(const Dataset& dataset, std::span<const Index> indices) {
  const auto count = static_cast<Index>(indices.size());
  for (const Index index : indices)
    if (index < 0 || index >= dataset.size())
      fail<ValueError>("gather: index ", index, " is outside the data set's ", dataset.size(), " samples");
  return {Tensor(dataset.images.shape().with(0, count)), Tensor({count}, DType::int32)};
}

}  // namespace

Batch gather(const Dataset& dataset, std::span<const Index> indices) {
  Batch batch = empty_batch(dataset, indices);
  fill_batch(dataset, indices, batch, [&](Index sample, Index, float* pixels) { fill_plain(dataset, sample, pixels); });
  return batch;
}

Batch Epoch::operator[](Index i) const {
  if (i < 0 || i >= batches_) fail<ValueError>("Epoch: batch ", i, ", expected 0 to ", batches_ - 1);
  const Index begin = i * batch_size_;
  const Index end = std::min(begin + batch_size_, static_cast<Index>(order_.size()));
  const auto indices =
      std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  if (!augmented()) return gather(dataset_, indices);
  Batch batch = empty_batch(dataset_, indices);
  if (mixup_ > 0) batch.targets = Tensor::zeros({end - begin, dataset_.classes});
  float* targets = mixup_ > 0 ? batch.targets.data<float>() : nullptr;
  fill_batch(dataset_, indices, batch, [&](Index sample, Index place, float* pixels) {
    fill_augmented(sample, random_.derive(static_cast<std::uint64_t>(sample)), pixels);
    if (mixup_ > 0) mix(sample, pixels, targets + place * dataset_.classes);
  });
  return batch;
}

void Epoch::fill_augmented(Index sample, Random random, float* pixels) const {
  fill_plain(dataset_, sample, pixels);
  const Shape& shape = dataset_.images.shape();
  if (augmentation_)
    augmentation_({.pixels = pixels, .height = shape[1], .width = shape[2], .channels = shape[3]}, random);
}

void Epoch::mix(Index sample, float* pixels, float* targets) const {
  Random random = mixing_.derive(static_cast<std::uint64_t>(sample));
  const double drawn = symmetric_beta(mixup_, random);
  const auto share = static_cast<float>(std::max(drawn, 1 - drawn)), rest = 1 - share;
  const Index partner = random.below(available_);
  std::vector<float> other(static_cast<std::size_t>(pixels_of(dataset_)));
  fill_augmented(partner, random.derive(0), other.data());
  for (std::size_t i = 0; i < other.size(); ++i) pixels[i] = share * pixels[i] + rest * other[i];
  const std::int32_t* labels = dataset_.labels.data<std::int32_t>();
  targets[labels[sample]] += share;
  targets[labels[partner]] += rest;
}

Loader::Loader(Dataset dataset, const LoaderOptions& options) : dataset_(std::move(dataset)), options_(options) {
  check_dataset(dataset_, "Loader");
  if (options.batch_size < 1) fail<ValueError>("Loader: batch_size is ", options.batch_size, ", expected at least 1");
  if (options.limit < 0) fail<ValueError>("Loader: limit is ", options.limit, ", expected 0 (all samples) or more");
  if (!(options.mixup >= 0 && options.mixup <= 1000))
    fail<ValueError>("Loader: mixup is ", options.mixup, ", expected 0 (none) to 1000");
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
  result.available_ = available_;
  result.mixup_ = options_.mixup;
  result.random_ = Random(options_.seed, augmentation_stream).derive(static_cast<std::uint64_t>(number));
  result.mixing_ = Random(options_.seed, mixup_stream).derive(static_cast<std::uint64_t>(number));
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
