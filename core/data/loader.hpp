// Batches of a data set, shuffled anew in every epoch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/core/data/dataset.hpp>

namespace bitgrad::data {

struct Batch {
  Tensor images;        ///< float32 [B, H, W, C] in [0, 1]: pixel / 255, correctly rounded
  Tensor labels;        ///< int32 [B]; of mixed images that of the one with the larger share
  Tensor targets = {};  ///< float32 [B, classes], the shares of the classes in mixed images; undefined without mixup

  Index size() const { return labels.size(); }
};

struct LoaderOptions {
  Index batch_size = 64;
  bool shuffle = true;
  bool drop_last = false;  ///< leave out the last batch of an epoch when it is smaller than the others
  Index limit = 0;         ///< use only the first `limit` samples of the data set; 0 means all
  std::uint64_t seed = 1;
  /// Applied to every image of a batch. What it draws follows from seed, epoch and the sample's index in the data set
  /// alone.
  Augmentation augmentation = {};
  /// More than 0: every image is mixed with another one of the data set (mixup), x = s a + (1 - s) b, in shares from
  /// Beta(mixup, mixup); see mixup.hpp. The image keeps the larger share, which makes no difference to what is drawn
  /// over all epochs, since the other one is drawn as evenly, and keeps every image of an epoch recognizable. What is
  /// drawn (share, partner, and the augmentation of the partner, which is another one than it has itself) follows from
  /// seed, epoch and the image's index alone: not from the batch it is in.
  double mixup = 0;
};

/// One pass over the data. It shares the data set's elements and may outlive the loader.
/// `for (Batch batch : loader.epoch(3))` makes one batch at a time.
class Epoch {
 public:
  Index size() const { return batches_; }                                    ///< batches
  bool augmented() const { return augmentation_ != nullptr || mixup_ > 0; }  ///< or mixed
  /// Batch i. Throws ValueError when out of range, and what the augmentation throws.
  Batch operator[](Index i) const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Batch;

    Iterator(const Epoch* epoch, Index at) : epoch_(epoch), at_(at) {}
    Batch operator*() const { return (*epoch_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Epoch* epoch_;
    Index at_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, batches_}; }

 private:
  friend class Loader;
  /// Pixels of the sample, augmented with what `random` draws.
  void fill_augmented(Index sample, Random random, float* pixels) const;
  void mix(Index sample, float* pixels, float* targets) const;

  Dataset dataset_;
  std::vector<Index> order_;
  Index batch_size_ = 0;
  Index batches_ = 0;
  Index available_ = 0;  // partners to choose from
  Augmentation augmentation_;
  double mixup_ = 0;
  Random random_{0};  // of the epoch; every sample has a stream derived from it
  Random mixing_{0};  // likewise
};

/// Cuts a data set into batches. The order of epoch e is a permutation made from (seed, e) alone, so that training can
/// be resumed at any epoch and batch, for any number of threads.
class Loader {
 public:
  /// Throws as check_dataset() does, and ValueError for an empty data set, a batch size below 1, a negative limit, or
  /// options that leave no batch.
  explicit Loader(Dataset dataset, const LoaderOptions& options = {});

  /// The pass number `number` (from 0) over the data. Throws ValueError for a negative number.
  Epoch epoch(Index number) const;

  Index samples() const { return samples_; }  ///< seen per epoch
  Index batches() const { return batches_; }  ///< per epoch
  const Dataset& dataset() const { return dataset_; }
  const LoaderOptions& options() const { return options_; }

 private:
  Dataset dataset_;
  LoaderOptions options_;
  Index available_ = 0;  // after the limit
  Index batches_ = 0;
  Index samples_ = 0;
};

/// The batch of the samples with these indices, converted in parallel. Throws ValueError for an index out of range.
Batch gather(const Dataset& dataset, std::span<const Index> indices);

}  // namespace bitgrad::data
