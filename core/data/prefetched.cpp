#include <bitgrad/core/data/prefetched.hpp>

#include <utility>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/serial_scope.hpp>

namespace bitgrad::data {

Prefetched::Prefetched(Epoch epoch, Index first) : epoch_(std::move(epoch)), at_(first) {
  if (first < 0 || first > epoch_.size())
    fail<ValueError>("Prefetched: first is ", first, ", expected 0 to ", epoch_.size());
  begin();
}

void Prefetched::begin() {
  if (left() == 0) return;
  coming_ = std::async(std::launch::async, [this, number = at_] {
    const SerialScope beside_the_pool;
    return epoch_[number];
  });
}

Batch Prefetched::next() {
  if (left() == 0) fail<StateError>("Prefetched: all ", epoch_.size(), " batches of the epoch were taken");
  if (!coming_.valid()) begin();  // making it failed the last time
  Batch batch = coming_.get();
  ++at_;
  begin();
  return batch;
}

}  // namespace bitgrad::data
