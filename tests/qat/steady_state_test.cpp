// What a training step takes from the heap once training has settled.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>

#include "support/sanitizers.hpp"

using namespace bitgrad;

namespace {

/// Requests of at least this many bytes are buffers; nodes, closures and names are smaller.
constexpr std::size_t buffer_size = 4096;
std::atomic<std::uint64_t> buffers{0}, requests{0};

struct Counts {
  std::uint64_t buffers, requests, fresh;
};

/// Of all steps so far.
Counts counts() { return {buffers.load(), requests.load(), memory_statistics().fresh}; }

void* counted(std::size_t size, std::size_t alignment) {
  ++requests;
  if (size >= buffer_size) ++buffers;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(size)
                     : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Sanitizers replace these themselves.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new[](std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

TEST_CASE("a settled training step allocates no buffer, float or quantized") {
  if (support::address_sanitizer || support::thread_sanitizer) return;
  const int threads = num_threads();
  set_num_threads(1);  // how many scratch buffers live at once depends on the threads
  data::Dataset images{Tensor({64, 16, 16, 3}, DType::uint8), Tensor::zeros({64}, DType::int32), 10, {}};
  Random random(1);
  for (std::uint8_t& pixel : images.images.span<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.next_u64());
  Model model = models::make("resnet8", {16, 16, 3}, 10);
  model.build({16, 16, 3}, 1);
  for (const bool quantized : {false, true}) {
    if (quantized) model = quantization_aware_training_init(model, data::to_unit_range(images.images), {});
    std::vector<Counts> after_step;
    after_step.reserve(64);
    Trainer trainer(model, images, {.epochs = 4, .batch = 8, .frozen_batch_norm = 0.5});
    trainer.fit({.step = [&](const Progress&) { after_step.push_back(counts()); }, .epoch = {}});
    INFO((quantized ? "quantized" : "float"));
    REQUIRE(after_step.size() == 32);
    // Steps 4 to 7 of an epoch; a new epoch permutes its samples and may allocate for that. The second half has frozen
    // statistics.
    for (const std::size_t begin : {std::size_t{4}, std::size_t{12}, std::size_t{20}, std::size_t{28}}) {
      for (std::size_t step = begin; step < begin + 4; ++step) {
        CHECK(after_step[step].fresh == after_step[step - 1].fresh);
        CHECK(after_step[step].buffers == after_step[step - 1].buffers);
        CHECK(after_step[step].requests - after_step[step - 1].requests ==
              after_step[begin].requests - after_step[begin - 1].requests);
      }
    }
  }
  set_num_threads(threads);
}
