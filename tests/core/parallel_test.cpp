#include <catch2/catch.hpp>

#include <sched.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/serial_scope.hpp>

using namespace bitgrad;

namespace {
/// Sets a number of threads for one scope.
struct Threads {
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};
}  // namespace

TEST_CASE("every chunk runs exactly once, whatever the number of threads") {
  for (const int threads : {1, 2, 3, 7}) {
    const Threads scope(threads);
    for (const Index n : {0, 1, 5, 64, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      parallel_for(n, 7, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& count : visits) CHECK(count == 1);
    }
  }
}

TEST_CASE("chunk bounds depend on the problem alone") {
  for (const int threads : {1, 2, 3, 7}) {
    const Threads scope(threads);
    std::vector<Index> begins(4), ends(4);
    parallel_chunks(100, 30, [&](Index chunk, Index begin, Index end) {
      begins[static_cast<std::size_t>(chunk)] = begin;
      ends[static_cast<std::size_t>(chunk)] = end;
    });
    CHECK(begins == std::vector<Index>{0, 30, 60, 90});
    CHECK(ends == std::vector<Index>{30, 60, 90, 100});
  }
}

TEST_CASE("the exception of the lowest failing chunk reaches the caller and the pool lives on") {
  for (const int threads : {1, 2, 4}) {
    const Threads scope(threads);
    for (int repeat = 0; repeat < 50; ++repeat) {
      CHECK_THROWS_WITH(parallel_for(16, 1,
                                     [](Index begin, Index) {
                                       if (begin == 0 || begin == 9) fail<ValueError>("chunk ", begin);
                                     }),
                        "chunk 0");
    }
    std::atomic<int> sum{0};
    parallel_for(10, 1, [&](Index begin, Index) { sum += static_cast<int>(begin); });
    CHECK(sum == 45);
  }
}

TEST_CASE("a region inside a region runs, and so do regions of two callers at once") {
  const Threads scope(3);
  std::atomic<int> count{0};
  parallel_for(8, 1, [&](Index, Index) { parallel_for(8, 1, [&](Index, Index) { ++count; }); });
  CHECK(count == 64);
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) parallel_for(8, 1, [&](Index, Index) { ++count; });
  });
  for (int i = 0; i < 200; ++i) parallel_for(8, 1, [&](Index, Index) { ++count; });
  other.join();
  CHECK(count == 64 + 2 * 200 * 8);
}

TEST_CASE("illegal numbers of threads are refused") {
  CHECK_THROWS_WITH(set_num_threads(0), Catch::Contains("0 threads, expected 1 to 256"));
  CHECK_THROWS_AS(set_num_threads(257), ValueError);
  const Threads scope(2);
  CHECK_THROWS_WITH(parallel_for(4, 1, [](Index, Index) { set_num_threads(2); }),
                    Catch::Contains("inside a parallel region"));
}

TEST_CASE("a worker that was sent elsewhere to wake up may run anywhere afterwards") {
  const Threads scope(2);
  const auto processors = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
  };
  const int all = processors();
  REQUIRE(all > 0);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the worker sleeps by then
    std::atomic<int> arrived{0};
    int seen[2] = {};
    // Each chunk waits for the other one, so that a thread takes but one of them.
    parallel_for(2, 1, [&](Index begin, Index) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
      seen[begin] = processors();
    });
    CHECK(seen[0] == all);
    CHECK(seen[1] == all);
  }
}

TEST_CASE("runs_serially tells where regions do") {
  {
    const Threads one(1);
    CHECK(runs_serially());
  }
  const Threads two(2);
  CHECK_FALSE(runs_serially());
  std::atomic<int> inside = 0;
  parallel_for(4, 1, [&](Index, Index) { inside += runs_serially(); });
  CHECK(inside == 4);
  {
    const SerialScope scope;
    CHECK(runs_serially());
  }
  CHECK_FALSE(runs_serially());
}
