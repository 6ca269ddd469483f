// Places of tensors in one block of memory.
#pragma once

#include <vector>

#include <bitgrad/core/shape.hpp>

namespace bitgrad::c {

/// A tensor that lives from one step to another, both included.
struct Lifetime {
  Index bytes = 0;
  std::size_t first = 0, last = 0;
};

struct Arena {
  std::vector<Index> offsets;  ///< by lifetime
  Index bytes = 0;
};

/// Places tensors one after the other, largest first, each at the lowest offset where it overlaps none that lives at
/// the same time.
Arena place(const std::vector<Lifetime>& lifetimes);

}  // namespace bitgrad::c
