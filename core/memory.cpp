#include <bitgrad/core/memory.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace bitgrad {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool reuse_buffers = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool reuse_buffers = false;
#else
constexpr bool reuse_buffers = true;
#endif
#else
constexpr bool reuse_buffers = true;
#endif

/// Rounds up to one of eight sizes per power of two, so that at most an eighth of a buffer is wasted.
std::size_t size_class(std::size_t bytes) {
  const std::size_t wanted = std::max<std::size_t>(bytes, buffer_alignment);
  const std::size_t step = std::max<std::size_t>(std::bit_floor(wanted) / 8, buffer_alignment);
  return (wanted + step - 1) / step * step;
}

constexpr std::size_t huge_page = std::size_t{2} << 20;

std::size_t alignment_of(std::size_t bytes) { return bytes < huge_page ? buffer_alignment : huge_page; }

/// Large buffers in huge pages where the system has them: a stream over small pages stops at the end of each.
std::byte* fresh(std::size_t bytes) {
  auto* buffer = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment_of(bytes)}));
  if (bytes >= huge_page) ::madvise(buffer, bytes / huge_page * huge_page, MADV_HUGEPAGE);  // a wish
  return buffer;
}

void discard(std::byte* buffer, std::size_t bytes) noexcept {
  ::operator delete (buffer, std::align_val_t{alignment_of(bytes)});
}

class BufferPool {
 public:
  std::byte* take(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (auto& free_list = free_[bytes]; !free_list.empty()) {
        std::byte* buffer = free_list.back();
        free_list.pop_back();
        statistics_.cached -= bytes;
        count(bytes);
        return buffer;
      }
    }
    // Counted only when there is one: this throws when memory is exhausted.
    std::byte* buffer = fresh(bytes);
    const std::lock_guard lock(mutex_);
    ++statistics_.fresh;
    count(bytes);
    return buffer;
  }

  void give_back(std::byte* buffer, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    statistics_.live -= bytes;
    if (reuse_buffers) {
      try {
        free_[bytes].push_back(buffer);
        statistics_.cached += bytes;
        return;
      } catch (const std::bad_alloc&) {
        // No room to remember the buffer: let it go instead.
      }
    }
    discard(buffer, bytes);
  }

  void release_cached() {
    const std::lock_guard lock(mutex_);
    for (auto& [bytes, buffers] : free_)
      for (std::byte* buffer : buffers) discard(buffer, bytes);
    free_.clear();
    statistics_.cached = 0;
  }

  MemoryStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.live;
  }

 private:
  void count(std::size_t bytes) {
    ++statistics_.requests;
    statistics_.live += bytes;
    statistics_.peak = std::max(statistics_.peak, statistics_.live);
  }

  std::mutex mutex_;
  std::map<std::size_t, std::vector<std::byte*>> free_;
  MemoryStatistics statistics_;
};

/// Never destroyed: buffers of static objects may outlive any destructor order. Reachable, so no leak is reported.
BufferPool& pool() {
  static BufferPool* instance = new BufferPool;
  return *instance;
}

}  // namespace

std::shared_ptr<std::byte> allocate_buffer(std::size_t bytes) {
  const std::size_t rounded = size_class(bytes);
  return {pool().take(rounded), [rounded](std::byte* buffer) { pool().give_back(buffer, rounded); }};
}

MemoryStatistics memory_statistics() { return pool().statistics(); }
void reset_peak_memory() { pool().reset_peak(); }
void release_cached_memory() { pool().release_cached(); }

}  // namespace bitgrad
