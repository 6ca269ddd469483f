#include <bitgrad/core/parallel.hpp>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/serial_scope.hpp>

namespace bitgrad {
namespace {

constexpr int max_threads = 256;
constexpr int spins_before_sleep = 2000;  // a few microseconds: the usual distance between two regions of a step

thread_local bool inside_region = false;

/// Marks this thread as running chunks for one scope.
struct RegionScope {
  RegionScope() : before(inside_region) { inside_region = true; }
  ~RegionScope() { inside_region = before; }
  bool before;
};

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::clamp(CPU_COUNT(&set), 1, max_threads);
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_threads);
}

/// Where a sleeping worker wakes up. The system likes to wake it on the processor of the thread that calls it, and
/// leaves it waiting there for some ten milliseconds, even if all others are idle. So that thread forbids it its own
/// processor for as long as it sleeps; without success nothing is lost but time.
class WakingPlace {
 public:
  /// Called by the worker around its sleep.
  void fall_asleep() {
    thread_ = pthread_self();
    asleep_ = true;
  }
  void wake_up() {
    asleep_ = false;
    if (std::exchange(moved_, false)) pthread_setaffinity_np(thread_, sizeof allowed_, &allowed_);
  }
  /// Called by the thread that is about to wake it.
  void make_way() {
    const int here = sched_getcpu();
    if (!asleep_ || moved_ || here < 0 || pthread_getaffinity_np(thread_, sizeof allowed_, &allowed_) != 0) return;
    cpu_set_t others = allowed_;
    CPU_CLR(here, &others);
    moved_ = CPU_COUNT(&others) > 0 && pthread_setaffinity_np(thread_, sizeof others, &others) == 0;
  }

 private:
  pthread_t thread_ = {};
  cpu_set_t allowed_ = {};
  bool asleep_ = false, moved_ = false;
};

/// One parallel region: chunks are taken from a counter by whoever is free. Workers hold it by shared_ptr, so that a
/// late one finds an exhausted region instead of a dead one.
struct Region {
  Region(Index count, detail::ChunkFunction work) : chunks(count), function(work) {}

  /// Takes and runs chunks until none is left.
  void work() {
    for (Index chunk = next.fetch_add(1); chunk < chunks; chunk = next.fetch_add(1)) {
      try {
        function(chunk);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (chunk < failed_chunk) {
          failed_chunk = chunk;
          exception = std::current_exception();
        }
      }
      if (done.fetch_add(1) + 1 == chunks) {
        const std::lock_guard lock(mutex);
        finished.notify_all();
      }
    }
  }

  void wait() {
    for (int spin = 0; spin < spins_before_sleep && done.load() < chunks; ++spin) __builtin_ia32_pause();
    std::unique_lock lock(mutex);
    finished.wait(lock, [&] { return done.load() >= chunks; });
  }

  const Index chunks;
  const detail::ChunkFunction function;
  std::atomic<Index> next{0};
  std::atomic<Index> done{0};
  std::mutex mutex;
  std::condition_variable finished;
  Index failed_chunk = std::numeric_limits<Index>::max();
  std::exception_ptr exception;
};

class ThreadPool {
 public:
  ThreadPool() : threads_(available_processors()) {}
  ~ThreadPool() { stop(); }

  int threads() const { return threads_.load(); }

  void set_threads(int threads) {
    const std::lock_guard region_lock(region_mutex_);
    stop();
    threads_ = threads;
  }

  void run(Index chunks, detail::ChunkFunction function) {
    // A second caller at the same time works alone: two regions would only fight for the same cores.
    std::unique_lock region_lock(region_mutex_, std::try_to_lock);
    if (!region_lock.owns_lock() || threads_ == 1) {
      run_serially(chunks, function);
      return;
    }
    start();
    const auto region = std::make_shared<Region>(chunks, function);
    publish(region);
    {
      const RegionScope scope;
      region->work();
    }
    region->wait();
    if (region->exception) std::rethrow_exception(region->exception);
  }

  static void run_serially(Index chunks, detail::ChunkFunction function) {
    const RegionScope scope;
    for (Index chunk = 0; chunk < chunks; ++chunk) function(chunk);
  }

 private:
  void start() {
    if (!workers_.empty()) return;
    stopping_ = false;
    for (int i = 1; i < threads_; ++i) {
      places_.push_back(std::make_unique<WakingPlace>());
      workers_.emplace_back([this, &place = *places_.back()] { work(place); });
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    places_.clear();
  }

  void publish(const std::shared_ptr<Region>& region) {
    {
      const std::lock_guard lock(mutex_);
      region_ = region;
      generation_.fetch_add(1);
      for (const auto& place : places_) place->make_way();
    }
    wake_.notify_all();
  }

  void work(WakingPlace& place) {
    const RegionScope scope;
    std::uint64_t seen = 0;
    while (true) {
      for (int spin = 0; spin < spins_before_sleep && generation_.load() == seen; ++spin) __builtin_ia32_pause();
      std::shared_ptr<Region> region;
      {
        std::unique_lock lock(mutex_);
        while (generation_.load() == seen) {
          place.fall_asleep();
          wake_.wait(lock);
          place.wake_up();
        }
        seen = generation_.load();
        if (stopping_) return;
        region = region_;
      }
      if (region) region->work();
    }
  }

  std::mutex region_mutex_;  // held by the one caller whose region is running
  std::mutex mutex_;         // guards what follows
  std::condition_variable wake_;
  std::shared_ptr<Region> region_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> threads_;
  std::vector<std::unique_ptr<WakingPlace>> places_;  // of the workers
  std::vector<std::thread> workers_;
};

ThreadPool& pool() {
  static ThreadPool instance;
  return instance;
}

}  // namespace

SerialScope::SerialScope() : before_(inside_region) { inside_region = true; }
SerialScope::~SerialScope() { inside_region = before_; }

bool runs_serially() { return inside_region || pool().threads() == 1; }

int num_threads() { return pool().threads(); }

void set_num_threads(int threads) {
  if (threads < 1 || threads > max_threads)
    fail<ValueError>("set_num_threads: ", threads, " threads, expected 1 to ", max_threads);
  if (inside_region) fail<StateError>("set_num_threads: called from inside a parallel region");
  pool().set_threads(threads);
}

void detail::run_chunks(Index chunks, ChunkFunction function) {
  if (chunks <= 0) return;
  if (chunks == 1 || inside_region) {
    ThreadPool::run_serially(chunks, function);
  } else {
    pool().run(chunks, function);
  }
}

}  // namespace bitgrad
