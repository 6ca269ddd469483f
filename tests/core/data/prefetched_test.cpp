#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include <bitgrad/core/data/prefetched.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

using namespace bitgrad;
using namespace bitgrad::data;

namespace {

Dataset noise(Index n) {
  Dataset dataset{Tensor({n, 9, 7, 1}, DType::uint8), Tensor({n}, DType::int32), static_cast<int>(n), {}};
  Random random(1);
  for (std::uint8_t& pixel : dataset.images.span<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.below(256));
  for (Index i = 0; i < n; ++i) dataset.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  return dataset;
}

Epoch augmented(Augmentation augmentation) {
  return Loader(noise(23), {.batch_size = 5, .augmentation = std::move(augmentation)}).epoch(2);
}

}  // namespace

TEST_CASE("prefetched batches are those of the epoch, from any of them on, whatever the caller computes") {
  const Epoch epoch = augmented(parse_augmentation("flip,shift:2,rotate:9"));
  const int before = num_threads();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (const Index first : {0, 3, 5}) {
      Prefetched ahead(epoch, first);
      for (Index i = first; i < epoch.size(); ++i) {
        CHECK(ahead.left() == epoch.size() - i);
        const Batch expected = epoch[i], found = ahead.next();  // the first in the pool, at the same time
        CHECK(identical(found.images, expected.images));
        CHECK(identical(found.labels, expected.labels));
      }
      CHECK(ahead.left() == 0);
      CHECK_THROWS_WITH(ahead.next(), "Prefetched: all 5 batches of the epoch were taken");
      CHECK_THROWS_AS(ahead.next(), StateError);
    }
  }
  set_num_threads(before);
  CHECK_THROWS_WITH(Prefetched(epoch, 6), "Prefetched: first is 6, expected 0 to 5");
  CHECK_THROWS_WITH(Prefetched(epoch, -1), "Prefetched: first is -1, expected 0 to 5");
}

TEST_CASE("prefetching stays outside of the thread that computes, one batch ahead, and ends with the object") {
  std::atomic<int> changed{0}, here{0};
  const std::thread::id caller = std::this_thread::get_id();
  const Epoch epoch = augmented([&](const ImageView&, Random&) {
    ++changed;
    here += std::this_thread::get_id() == caller;
  });
  {
    Prefetched ahead(epoch);
    ahead.next();
    CHECK(changed >= 5);
  }
  CHECK(changed == 10);  // the batch that was taken and the next, finished
  CHECK(here == 0);
}

TEST_CASE("what an augmentation throws in the background arrives with its batch, and it may be tried again") {
  std::atomic<bool> broken{true};
  std::atomic<int> calls{0};
  const Epoch epoch = augmented([&](const ImageView&, Random&) {
    if (++calls > 5 && broken) fail<ValueError>("mine: no");
  });
  Prefetched ahead(epoch);
  CHECK(ahead.next().size() == 5);
  CHECK_THROWS_WITH(ahead.next(), "mine: no");
  CHECK_THROWS_AS(ahead.next(), ValueError);
  broken = false;
  CHECK(identical(ahead.next().images, epoch[1].images));
  CHECK(ahead.left() == 3);
}
