// The next batch, made while the caller computes with this one.
#pragma once

#include <future>

#include <bitgrad/core/data/loader.hpp>

namespace bitgrad::data {

/// The batches of an epoch in order, with the bytes that Epoch::operator[] gives. One thread beside the caller's makes
/// the next one in the background, at most one ahead and without the thread pool, so that the caller's parallel loops
/// keep it; an augmentation of one's own is called there. The destructor waits for the batch that is being made: no
/// thread outlives the object.
class Prefetched {
 public:
  /// Begins with batch `first`. Throws ValueError unless it is 0 to epoch.size().
  explicit Prefetched(Epoch epoch, Index first = 0);

  /// Batches that are left.
  Index left() const { return epoch_.size() - at_; }
  /// The next batch. Throws what making it threw, and the next call tries the same one again; StateError when none is
  /// left.
  Batch next();

 private:
  void begin();

  const Epoch epoch_;
  Index at_;
  std::future<Batch> coming_;  // number at_; its destructor waits
};

}  // namespace bitgrad::data
