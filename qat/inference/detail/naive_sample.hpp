// The tensors of the naive executor.
#pragma once

#include <cstdint>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// One sample's tensors, by tensor number: codes or float32 values.
struct NaiveSample {
  const InferenceGraph& graph;
  std::vector<Tensor>& all;  ///< [batch, ...] each
  Index number;

  const GraphTensor& tensor(int t) const { return graph.tensors[static_cast<std::size_t>(t)]; }
  const Grid& grid(int t) const { return *tensor(t).grid; }
  Tensor row(int t) const { return all[static_cast<std::size_t>(t)].rows(number, number + 1); }
  std::int32_t* codes(int t) const {
    return all[static_cast<std::size_t>(t)].data<std::int32_t>() + number * tensor(t).shape.size();
  }
  float* values(int t) const {
    return all[static_cast<std::size_t>(t)].data<float>() + number * tensor(t).shape.size();
  }
};

/// What a node reads and writes of a sample.
class NaiveView {
 public:
  NaiveView(const NaiveSample& sample, const GraphNode& node) : sample_(sample), node_(node) {}

  const GraphTensor& input(std::size_t i = 0) const { return sample_.tensor(node_.inputs[i]); }
  const GraphTensor& output() const { return sample_.tensor(node_.output); }
  const Grid& in_grid(std::size_t i = 0) const { return *input(i).grid; }
  const Grid& out_grid() const { return *output().grid; }
  const std::int32_t* in_codes(std::size_t i = 0) const { return sample_.codes(node_.inputs[i]); }
  const float* in_values() const { return sample_.values(node_.inputs[0]); }
  std::int32_t* out_codes() const { return sample_.codes(node_.output); }
  float* out_values() const { return sample_.values(node_.output); }
  Shape input_batch() const { return input().shape.prepended(1); }

  static float real(std::int32_t code, const Grid& grid) {
    return static_cast<float>(code - grid.zero_point[0]) * grid.scale[0];
  }

 protected:
  const NaiveSample& sample_;
  const GraphNode& node_;
};

}  // namespace bitgrad::inference
