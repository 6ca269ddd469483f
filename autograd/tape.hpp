// Reverse-mode automatic differentiation: a tape of operations in order of creation.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/autograd/variable.hpp>
#include <bitgrad/core/kernels/store.hpp>

namespace bitgrad {

/// Memory for the gradient of one input, and whether it already holds something to add to.
struct GradTarget {
  Tensor gradient = {};
  kernels::Store store = kernels::Store::add;
};

/// Where an operation's backward pass puts the gradients of its inputs. Gradients always add.
class GradSink {
 public:
  /// False when nobody needs the gradient of input `i`: skip its computation.
  bool wants(std::size_t i) const;
  /// Adds `gradient` to the gradient of input `i`; shape and dtype must be the input's (ShapeError otherwise). The
  /// first one is kept as it is, without a copy: the tensor, which may be the output's gradient itself, must not change
  /// afterwards.
  void add(std::size_t i, Tensor gradient);
  /// The gradient buffer of input `i`, zeroed if it is new, for kernels that add in place. Only when wants(i).
  Tensor& buffer(std::size_t i);
  /// The same without the zeros, for kernels that can overwrite as well as add: a new buffer is uninitialised, and the
  /// operation has to write all of it. Only when wants(i).
  GradTarget target(std::size_t i);

 private:
  friend class Tape;
  GradSink(Tape& tape, std::int32_t node) : tape_(tape), node_(node) {}
  Tape& tape_;
  std::int32_t node_;
};

/// Backward pass of one operation: given the gradient of its output (same shape and dtype as the output), it adds the
/// gradients of its inputs into the sink, in the order in which they were passed to record_operation().
using Backward = std::function<void(const Tensor& output_gradient, GradSink& sink)>;

/// Records operations of this thread while it is the innermost living tape. No tape in scope means no recording:
/// inference is the default. Tapes nest; a variable belongs to the tape that recorded it and to no other.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The innermost tape of this thread, or nullptr.
  static Tape* current();

  /// A leaf whose gradient is wanted, read with gradient() after backward().
  Variable watch(Tensor value, std::string_view name = "input");
  /// The leaf of a parameter; the same for every use on this tape. backward() adds its gradient to the parameter.
  Variable leaf(const ParameterPtr& parameter);

  /// Differentiates a one-element loss. Throws StateError when the loss was not recorded here or the tape was already
  /// used (operations are freed as they are passed), ShapeError when the loss has more than one element.
  void backward(const Variable& loss);
  /// Differentiates any recorded output, starting from `seed`, the gradient of the output. StateError likewise,
  /// ShapeError for a seed of another shape or dtype than the output's.
  void backward(const Variable& output, const Tensor& seed);

  /// Gradient of a watched leaf after backward(); zeros when the output does not depend on it. StateError for any other
  /// variable, and before backward().
  Tensor gradient(const Variable& leaf) const;

  /// One line per recorded operation: number, path and name, dtype and output shape, input numbers.
  std::string dump() const;
  /// Operations and leaves recorded.
  std::size_t size() const { return nodes_.size(); }

  /// From now on an operation whose output is not finite throws ValueError naming it, its path and the first such
  /// element.
  void check_finite(bool on) { check_finite_ = on; }

  /// Names the part of a model that records, for dump() and error messages: "block1/conv2".
  class Scope {
   public:
    explicit Scope(std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    /// The scopes around the caller: "block1/conv2/".
    static const std::string& path();

   private:
    std::size_t length_before_;
  };

  /// Goes to the scopes of another place instead of one deeper: for operations that are done later than they were asked
  /// for.
  class ScopeAt {
   public:
    explicit ScopeAt(std::string path);
    ~ScopeAt();
    ScopeAt(const ScopeAt&) = delete;
    ScopeAt& operator=(const ScopeAt&) = delete;

   private:
    std::string before_;
  };

 private:
  friend class GradSink;
  friend Variable record_operation(std::string_view, Tensor, std::span<const Variable>, Backward);

  struct Node {
    std::string name;
    Shape shape;
    DType dtype = DType::float32;
    std::vector<std::int32_t> inputs;  // -1 for constants
    Backward backward;
    Tensor gradient;
    ParameterPtr parameter;
    bool keep_gradient = false;
  };

  Variable push(std::string_view name, Tensor value, std::span<const Variable> inputs, Backward backward);
  /// Node number of a variable on this tape, -1 for constants; throws StateError for a variable of another tape.
  std::int32_t node_of(const Variable& variable, std::string_view what) const;
  void run(std::int32_t last);

  std::uint64_t serial_;
  Tape* outer_;
  std::deque<Node> nodes_;  // grows without moving
  std::unordered_map<const Parameter*, std::int32_t> leaves_;
  bool used_ = false;
  bool check_finite_ = false;
};

/// What every differentiable operation ends with: its output as a Variable, recorded on the current tape when one of
/// the inputs is recorded, a constant otherwise. Throws StateError when an input belongs to another tape.
Variable record_operation(std::string_view name, Tensor value, std::span<const Variable> inputs, Backward backward);
inline Variable record_operation(std::string_view name, Tensor value, std::initializer_list<Variable> inputs,
                                 Backward backward) {
  return record_operation(name, std::move(value), std::span<const Variable>(inputs.begin(), inputs.size()),
                          std::move(backward));
}

/// A parameter as an operand: the tape's leaf when a tape is in scope and the parameter is trainable, else a constant.
Variable variable_of(const ParameterPtr& parameter);

}  // namespace bitgrad
