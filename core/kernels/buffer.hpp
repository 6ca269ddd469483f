// Scratch memory of a kernel, from the buffer pool.
#pragma once

#include <cstddef>

#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// `size` uninitialised elements that live as long as this object.
template <class T>
class Scratch {
 public:
  explicit Scratch(Index size) : buffer_(allocate_buffer(static_cast<std::size_t>(size) * sizeof(T))) {}
  T* data() const { return reinterpret_cast<T*>(buffer_.get()); }

 private:
  std::shared_ptr<std::byte> buffer_;
};

}  // namespace bitgrad::kernels
