// A pool of aligned buffers that are reused between training steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bitgrad {

/// Alignment in bytes of every buffer: one AVX-512 register, one cache line.
inline constexpr std::size_t buffer_alignment = 64;

/// Counters of the pool, in bytes unless said otherwise.
struct MemoryStatistics {
  std::size_t live = 0;        ///< handed out at the moment
  std::size_t peak = 0;        ///< largest `live` since reset_peak_memory()
  std::size_t cached = 0;      ///< returned and kept for reuse
  std::uint64_t requests = 0;  ///< buffers asked for, ever
  std::uint64_t fresh = 0;     ///< of these, how many had to come from the operating system
};

/// An uninitialised buffer of at least `bytes` bytes, aligned to buffer_alignment. It goes back to the pool when the
/// last owner lets go. Throws std::bad_alloc. Thread-safe. Under AddressSanitizer nothing is reused, so that use after
/// free is seen.
std::shared_ptr<std::byte> allocate_buffer(std::size_t bytes);

/// The counters as they are now. Thread-safe, as what follows.
MemoryStatistics memory_statistics();
/// `peak` becomes what is live now.
void reset_peak_memory();
/// Gives all cached buffers back to the operating system.
void release_cached_memory();

}  // namespace bitgrad
