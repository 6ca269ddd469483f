// A sample of the values at some points of a model, from an evaluation of representative data.
#pragma once

#include <map>
#include <vector>

#include <bitgrad/layers/model.hpp>

namespace bitgrad::qat {

class Sampler {
 public:
  /// Runs the float model on `images` and keeps at most about 131,072 values at each point (node number, -1 for the
  /// model's input): every n-th, counted through all images in order.
  Sampler(Model& model, const std::vector<int>& points, const Tensor& images);

  /// float32 [number of values]
  Tensor values(int point) const;

 private:
  struct Point {
    Index stride;  // every stride-th value is kept
    Index seen;
    std::vector<float> values;
  };

  void run(Model& model, const Tensor& batch);
  void keep(int number, const Tensor& values);

  std::map<int, Point> points_;
};

}  // namespace bitgrad::qat
