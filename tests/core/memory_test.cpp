#include <catch2/catch.hpp>

#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include <bitgrad/core/memory.hpp>
#include "support/sanitizers.hpp"

using namespace bitgrad;

namespace {

constexpr bool reused = !support::address_sanitizer;  // it is to see every use after the end

}  // namespace

TEST_CASE("memory: buffers are aligned and hold what was asked for") {
  std::vector<std::shared_ptr<std::byte>> buffers;
  for (const std::size_t bytes : {0u, 1u, 63u, 64u, 65u, 1000u, 4097u, 100000u, 3000001u}) {
    buffers.push_back(allocate_buffer(bytes));
    CHECK(reinterpret_cast<std::uintptr_t>(buffers.back().get()) % buffer_alignment == 0);
    std::memset(buffers.back().get(), static_cast<int>(buffers.size()), bytes);
  }
  CHECK(buffers[3].get()[63] == std::byte{4});  // not run over by a neighbour
  CHECK(buffers[8].get()[3000000] == std::byte{9});
}

TEST_CASE("memory: a returned buffer is handed out again for the same and for slightly other sizes") {
  release_cached_memory();
  const std::byte* first = allocate_buffer(100000).get();
  const MemoryStatistics before = memory_statistics();
  const auto second = allocate_buffer(100000);
  CHECK((second.get() == first) == reused);
  CHECK(memory_statistics().requests == before.requests + 1);
  CHECK(memory_statistics().cached == 0);
  CHECK(memory_statistics().fresh == before.fresh + (reused ? 0 : 1));
  const auto third = allocate_buffer(100000);
  CHECK(third != second);
  CHECK(memory_statistics().fresh == before.fresh + (reused ? 1 : 2));
}

TEST_CASE("memory: live, peak and cached bytes") {
  release_cached_memory();
  reset_peak_memory();
  const MemoryStatistics before = memory_statistics();
  CHECK(before.cached == 0);
  CHECK(before.peak == before.live);
  {
    const auto a = allocate_buffer(1 << 20), b = allocate_buffer(1 << 16);
    CHECK(memory_statistics().live == before.live + (1 << 20) + (1 << 16));
  }
  MemoryStatistics after = memory_statistics();
  CHECK(after.live == before.live);
  CHECK(after.peak == before.live + (1 << 20) + (1 << 16));
  CHECK(after.cached == (reused ? (1u << 20) + (1u << 16) : 0u));
  reset_peak_memory();
  CHECK(memory_statistics().peak == before.live);
  release_cached_memory();
  after = memory_statistics();
  CHECK(after.cached == 0);
  CHECK(after.live == before.live);
}

TEST_CASE("memory: at most an eighth of a buffer is wasted") {
  for (const std::size_t bytes : {1000u, 4097u, 70001u, 1000003u}) {
    const std::size_t before = memory_statistics().live;
    const auto buffer = allocate_buffer(bytes);
    const std::size_t taken = memory_statistics().live - before;
    CHECK(taken >= bytes);
    CHECK(taken <= bytes + bytes / 8 + buffer_alignment);
  }
}

TEST_CASE("memory: a request that cannot be met changes nothing") {
  if (!support::impossible_allocations_throw) return;
  const MemoryStatistics before = memory_statistics();
  CHECK_THROWS_AS(allocate_buffer(std::size_t{1} << 60), std::bad_alloc);
  CHECK(memory_statistics().live == before.live);
  CHECK(memory_statistics().peak == before.peak);
}

TEST_CASE("memory: the pool serves several threads") {
  const std::size_t before = memory_statistics().live;
  std::vector<std::thread> threads;
  std::vector<int> damaged(4);
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([id, &damaged] {
      for (int i = 0; i < 2000; ++i) {
        const auto a = allocate_buffer(256), b = allocate_buffer(512);
        std::memset(a.get(), id, 256);
        std::memset(b.get(), id + 100, 512);
        for (int k = 0; k < 256; ++k) damaged[static_cast<std::size_t>(id)] += a.get()[k] != static_cast<std::byte>(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(damaged == std::vector<int>(4));
  CHECK(memory_statistics().live == before);
}
