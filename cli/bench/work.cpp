#include <bitgrad/cli/bench/work.hpp>

namespace bitgrad::cli {
namespace {

constexpr double bytes_per_element = 4;

double elements(const Shape& shape) { return static_cast<double>(shape.size()); }

/// Flops of one forward pass: every kernel element meets every output position (of all channels together) once.
double product_flops(const OperationTime& operation) {
  const std::string name = operation.name();
  const bool product = name.find("conv2d") != std::string::npos || name.find("matmul") != std::string::npos;
  if (!product || operation.inputs.size() < 2 || operation.output.rank() < 2 || operation.output.size() == 0) return 0;
  const double positions = elements(operation.output) / static_cast<double>(operation.output[-1]);
  return 2 * positions * elements(operation.inputs[1]);
}

}  // namespace

Work& Work::operator+=(const Work& other) {
  flops += other.flops;
  bytes += other.bytes;
  return *this;
}

Work forward_work(const OperationTime& operation) {
  double moved = elements(operation.output);
  for (const Shape& input : operation.inputs) moved += elements(input);
  return {.flops = product_flops(operation), .bytes = bytes_per_element * moved};
}

Work backward_work(const OperationTime& operation) {
  double moved = elements(operation.output), products = 0;
  for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
    const bool wanted = operation.gradient_wanted[i];
    moved += (wanted ? 2 : 1) * elements(operation.inputs[i]);
    if (wanted && i < 2) ++products;
  }
  return {.flops = products * product_flops(operation), .bytes = bytes_per_element * moved};
}

}  // namespace bitgrad::cli
