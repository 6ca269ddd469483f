// The operations that `bitgrad bench kernels` measures.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <bitgrad/autograd/variable.hpp>

namespace bitgrad::cli {

/// An operation on inputs of certain shapes.
struct KernelCase {
  std::string operation;      ///< "conv2d"
  std::string detail;         ///< "3x3, stride 2, 32 to 64": what shapes do not say
  std::vector<Shape> inputs;  ///< filled with random numbers
  std::function<Variable(std::span<const Variable>)> apply;
  /// Backward passes, each with the inputs whose gradients it computes: "kernel" 1.
  struct Backward {
    std::string name;
    std::vector<std::size_t> inputs;
  };
  std::vector<Backward> backward;
};

/// Convolutions of resnet8 and lenet5, dense layers of mlp, and what stands between, for a batch.
std::vector<KernelCase> kernel_cases(Index batch);

}  // namespace bitgrad::cli
