#include <bitgrad/autograd/operation_timer.hpp>

namespace bitgrad {

std::string OperationTime::name() const { return path.substr(path.rfind('/') + 1); }

double OperationTimer::seconds() const {
  double sum = 0;
  for (const OperationTime& each : operations_) sum += each.forward_seconds + each.backward_seconds;
  return sum;
}

void OperationTimer::reset() {
  for (OperationTime& each : operations_) {
    each.calls = 0;
    each.forward_seconds = each.backward_seconds = 0;
  }
}

void OperationTimer::tape_began() { began_ = last_ = std::chrono::steady_clock::now(); }

void OperationTimer::recorded(std::string_view name, const Tensor& output, std::span<const Variable> inputs) {
  const double seconds = lap();
  OperationTime& operation = find(name);
  operation.forward_seconds += seconds;
  ++operation.calls;
  operation.output = output.shape();
  operation.inputs.clear();
  operation.gradient_wanted.clear();
  for (const Variable& input : inputs) {
    operation.inputs.push_back(input.shape());
    operation.gradient_wanted.push_back(input.recorded());
  }
}

void OperationTimer::backward_began() { differentiated("leaves"); }

void OperationTimer::differentiated(std::string_view name) {
  const double seconds = lap();
  const auto found = places_.find(std::string(name));
  // What was never recorded is a leaf.
  OperationTime& operation = found == places_.end() ? find("leaves") : operations_[found->second];
  operation.backward_seconds += seconds;
}

OperationTime& OperationTimer::find(std::string_view path) {
  const auto [place, added] = places_.emplace(path, operations_.size());
  if (added) operations_.push_back({.path = std::string(path)});
  return operations_[place->second];
}

double OperationTimer::lap() {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  return seconds;
}

}  // namespace bitgrad
