// Where the tensors of a graph lie in the memory of an IntegerProgram.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// How the elements of a tensor lie in memory: codes minus their zero point as int16, or as int32 where their range is
/// larger, and float32.
enum class Carrier : std::uint8_t { int16, int32, float32 };
Carrier carrier_of(const GraphTensor& tensor);

/// A tensor's place.
struct Place {
  Carrier carrier = Carrier::float32;
  Index elements = 0;      ///< per sample
  std::size_t offset = 0;  ///< bytes, for a slice of one sample; a multiple of the buffers' alignment
  bool is_input = false;   ///< the graph's float32 input: the caller's memory
};

/// Tensors share memory that are not needed at the same time; a reshaped tensor lies where it was.
struct MemoryPlan {
  std::vector<Place> places;     ///< by tensor number
  std::size_t sample_bytes = 0;  ///< of all together, for one sample

  explicit MemoryPlan(const InferenceGraph& graph);
};

/// Samples that go through the graph together, and the memory of their tensors.
struct Slice {
  Index samples = 0;
  Index first = 0;  ///< number of the first one in the caller's batch
  std::byte* memory = nullptr;
  const float* input = nullptr;

  template <class T>
  T* at(const Place& place) const {
    return reinterpret_cast<T*>(memory + place.offset * static_cast<std::size_t>(samples));
  }
  const float* floats(const Place& place) const { return place.is_input ? input : at<float>(place); }
};

}  // namespace bitgrad::inference
