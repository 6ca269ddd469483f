// What a training step asks of memory.
#include <catch2/catch.hpp>

#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

#include "training.hpp"

using namespace bitgrad;

TEST_CASE("after the first steps, training takes no more memory from the operating system") {
#if defined(__SANITIZE_ADDRESS__)
  return;  // under AddressSanitizer no buffer is reused
#endif
  const int threads = num_threads();
  set_num_threads(1);  // how many scratch buffers live at once depends on the threads
  Model model = models::make("resnet8", {16, 16, 3}, 10);
  model.build({16, 16, 3}, 1);
  Tensor x({8, 16, 16, 3});
  Random(1).fill_uniform(x, 0, 1);
  const Tensor labels = Tensor::zeros({8}, DType::int32);
  const auto steps = [&](int count) {
    for (int i = 0; i < count; ++i) support::step(model, x, labels, 0.01, 1);
  };
  steps(2);
  const MemoryStatistics before = memory_statistics();
  steps(3);
  const MemoryStatistics after = memory_statistics();
  set_num_threads(threads);
  CHECK(after.requests > before.requests);
  CHECK(after.fresh == before.fresh);
  CHECK(after.live == before.live);
}
