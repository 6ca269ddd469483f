// The thread pool. Work is cut into chunks that depend on the problem alone, never on the number of threads, so that
// results are the same bytes for any number of threads.
#pragma once

#include <memory>
#include <type_traits>

#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// Threads used by parallel regions, the caller included. The default is the number of processors this process may use.
int num_threads();

/// Sets the number of threads, 1 to 256. Throws ValueError otherwise, StateError when called from inside a parallel
/// region.
void set_num_threads(int threads);

namespace detail {

/// A borrowed callable, cheaper than std::function: valid only while the callable lives.
class ChunkFunction {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, ChunkFunction>>>
  ChunkFunction(F& function)  // NOLINT(google-explicit-constructor)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* object, Index chunk) { (*static_cast<F*>(object))(chunk); }) {}
  void operator()(Index chunk) const { call_(object_, chunk); }

 private:
  void* object_;
  void (*call_)(void*, Index);
};

void run_chunks(Index chunks, ChunkFunction function);

}  // namespace detail

/// Number of chunks of at most `grain` items that cover n items.
inline Index chunk_count(Index n, Index grain) { return n <= 0 ? 0 : (n + grain - 1) / grain; }

/// Calls `f(chunk, begin, end)` for every chunk of [0, n), in any order and on any thread; returns when all are done.
/// For reductions: write partial result `chunk`, add them up in order afterwards. The exception of the lowest failing
/// chunk reaches the caller. A region inside a region runs serially.
template <class F>
void parallel_chunks(Index n, Index grain, F&& f) {
  auto run = [&](Index chunk) {
    const Index begin = chunk * grain;
    f(chunk, begin, begin + grain < n ? begin + grain : n);
  };
  detail::run_chunks(chunk_count(n, grain), detail::ChunkFunction(run));
}

/// Calls `f(begin, end)` for every chunk of [0, n).
template <class F>
void parallel_for(Index n, Index grain, F&& f) {
  parallel_chunks(n, grain, [&](Index, Index begin, Index end) { f(begin, end); });
}

}  // namespace bitgrad
