#include <bitgrad/qat/export/detail/c_arena.hpp>

#include <algorithm>
#include <numeric>

namespace bitgrad::c {

Arena place(const std::vector<Lifetime>& lifetimes) {
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  Arena arena{std::vector<Index>(lifetimes.size(), 0), 0};
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    const Lifetime& mine = lifetimes[i];
    Index offset = 0;
    for (const std::size_t other : placed) {
      const bool meets = lifetimes[other].first <= mine.last && mine.first <= lifetimes[other].last;
      if (meets && arena.offsets[other] < offset + mine.bytes)
        offset = std::max(offset, arena.offsets[other] + lifetimes[other].bytes);
    }
    arena.offsets[i] = offset;
    arena.bytes = std::max(arena.bytes, offset + mine.bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](std::size_t p) { return arena.offsets[p]; }), i);
  }
  return arena;
}

}  // namespace bitgrad::c
