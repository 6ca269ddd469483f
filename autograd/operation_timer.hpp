// Where the time of a training step goes, operation by operation.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <bitgrad/autograd/tape_observer.hpp>

namespace bitgrad {

/// What one operation of a model cost. Shapes are those of its last call.
struct OperationTime {
  std::string path;        ///< "block1/conv2/conv2d"; leaves and the seed of backward() together are "leaves"
  std::int64_t calls = 0;  ///< forward passes
  double forward_seconds = 0;
  double backward_seconds = 0;
  Shape output = {};
  std::vector<Shape> inputs = {};
  std::vector<bool> gradient_wanted = {};  ///< by input

  /// The operation without its scopes: "conv2d".
  std::string name() const;
};

/// Times the operations of this thread's tapes while it lives:
///
///     OperationTimer timer;
///     fit(model, data, options);
///     for (const OperationTime& each : timer.operations()) ...
///
/// Time is cut at the events of the tape, so that every moment between the beginning of a tape and its last backward
/// pass belongs to exactly one operation: the first that is done afterwards. The sum over all operations is the time
/// spent in tapes.
class OperationTimer : public TapeObserver {
 public:
  /// In order of their first call.
  const std::vector<OperationTime>& operations() const { return operations_; }
  /// Seconds in tapes: the sum over operations().
  double seconds() const;
  /// When the last tape began, and its last event; what a caller needs to time the rest of a step.
  std::chrono::steady_clock::time_point began() const { return began_; }
  std::chrono::steady_clock::time_point last_event() const { return last_; }
  /// Sets all times and calls to zero; the list stays.
  void reset();

  void tape_began() override;
  void recorded(std::string_view name, const Tensor& output, std::span<const Variable> inputs) override;
  void backward_began() override;
  void differentiated(std::string_view name) override;

 private:
  OperationTime& find(std::string_view path);
  /// Seconds since the last event, which is now.
  double lap();

  std::vector<OperationTime> operations_;
  std::unordered_map<std::string, std::size_t> places_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), last_ = began_;
};

}  // namespace bitgrad
