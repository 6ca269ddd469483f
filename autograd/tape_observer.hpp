// Watching tapes from outside, to measure what they do.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/autograd/variable.hpp>

namespace bitgrad {

/// Gets the events of all tapes of its thread while it is the innermost living observer. It sees values and changes
/// none; without one a tape pays a comparison with null per operation. Observers end in the reverse order of their
/// creation.
class TapeObserver {
 public:
  TapeObserver();
  virtual ~TapeObserver();
  TapeObserver(const TapeObserver&) = delete;
  TapeObserver& operator=(const TapeObserver&) = delete;

  /// The innermost observer of this thread, or nullptr.
  static TapeObserver* current();

  /// A tape begins.
  virtual void tape_began() = 0;
  /// The forward pass of an operation is done and now recorded. `name` has the scopes in front: "block1/conv2/conv2d".
  virtual void recorded(std::string_view name, const Tensor& output, std::span<const Variable> inputs) = 0;
  /// The forward pass is over; backward() comes to its operations.
  virtual void backward_began() = 0;
  /// The backward pass of that operation is done and its saved tensors are freed. Leaves come as well: their gradients
  /// are handed to parameters here.
  virtual void differentiated(std::string_view name) = 0;

 private:
  TapeObserver* outer_;
};

}  // namespace bitgrad
