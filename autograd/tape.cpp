#include <bitgrad/autograd/tape.hpp>

#include <atomic>
#include <cmath>
#include <utility>

#include <bitgrad/autograd/accumulate.hpp>
#include <bitgrad/autograd/tape_observer.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

thread_local Tape* current_tape = nullptr;
thread_local TapeObserver* current_observer = nullptr;
thread_local std::string scope_path;  // "block1/conv2/"
std::atomic<std::uint64_t> next_serial{1};

/// Throws when an element is NaN or infinite.
void require_finite(const std::string& name, const Tensor& value) {
  dispatch_floating(name, value.dtype(), [&](auto zero) {
    const auto elements = value.span<decltype(zero)>();
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (!std::isfinite(elements[i]))
        fail<ValueError>(name, ": element ", i, " of its output of shape ", value.shape(), " is ", elements[i],
                         ", expected a finite number");
  });
}

/// Gradients are shared between nodes as long as nobody adds to them.
void make_unique(Tensor& gradient) {
  if (!gradient.unique()) gradient = gradient.clone();
}

}  // namespace

bool GradSink::wants(std::size_t i) const { return tape_.nodes_[static_cast<std::size_t>(node_)].inputs.at(i) >= 0; }

void GradSink::add(std::size_t i, Tensor gradient) {
  if (!wants(i)) return;
  const Tape::Node& node = tape_.nodes_[static_cast<std::size_t>(node_)];
  Tape::Node& input = tape_.nodes_[static_cast<std::size_t>(node.inputs[i])];
  if (gradient.shape() != input.shape || gradient.dtype() != input.dtype)
    fail<ShapeError>(node.name, ": gradient of input ", i, " is ", gradient.dtype(), " ", gradient.shape(),
                     ", expected ", input.dtype, " ", input.shape);
  if (!input.gradient.defined()) {
    input.gradient = std::move(gradient);
    return;
  }
  make_unique(input.gradient);
  add_into(input.gradient, gradient);
}

Tensor& GradSink::buffer(std::size_t i) {
  BITGRAD_ASSERT(wants(i));
  Tape::Node& input = tape_.nodes_[static_cast<std::size_t>(tape_.nodes_[static_cast<std::size_t>(node_)].inputs[i])];
  if (!input.gradient.defined()) input.gradient = Tensor::zeros(input.shape, input.dtype);
  make_unique(input.gradient);
  return input.gradient;
}

GradTarget GradSink::target(std::size_t i) {
  BITGRAD_ASSERT(wants(i));
  Tape::Node& input = tape_.nodes_[static_cast<std::size_t>(tape_.nodes_[static_cast<std::size_t>(node_)].inputs[i])];
  if (input.gradient.defined()) return {buffer(i), kernels::Store::add};
  input.gradient = Tensor(input.shape, input.dtype);
  return {input.gradient, kernels::Store::overwrite};
}

TapeObserver::TapeObserver() : outer_(current_observer) { current_observer = this; }
TapeObserver::~TapeObserver() { current_observer = outer_; }
TapeObserver* TapeObserver::current() { return current_observer; }

Tape::Tape() : serial_(next_serial.fetch_add(1)), outer_(current_tape) {
  current_tape = this;
  if (current_observer) current_observer->tape_began();
}
Tape::~Tape() { current_tape = outer_; }
Tape* Tape::current() { return current_tape; }

Tape::Scope::Scope(std::string_view name) : length_before_(scope_path.size()) { scope_path.append(name).append("/"); }
Tape::Scope::~Scope() { scope_path.resize(length_before_); }
const std::string& Tape::Scope::path() { return scope_path; }

Tape::ScopeAt::ScopeAt(std::string path) : before_(std::exchange(scope_path, std::move(path))) {}
Tape::ScopeAt::~ScopeAt() { scope_path = std::move(before_); }

Variable Tape::push(std::string_view name, Tensor value, std::span<const Variable> inputs, Backward backward) {
  Node node;
  node.name = scope_path + std::string(name);
  node.shape = value.shape();
  node.dtype = value.dtype();
  for (const Variable& input : inputs) node.inputs.push_back(node_of(input, node.name));
  node.backward = std::move(backward);
  nodes_.push_back(std::move(node));
  return {std::move(value), serial_, static_cast<std::int32_t>(nodes_.size()) - 1};
}

std::int32_t Tape::node_of(const Variable& variable, std::string_view what) const {
  if (!variable.recorded()) return -1;
  if (variable.tape_ != serial_)
    fail<StateError>(what, ": a variable of shape ", variable.shape(),
                     " belongs to another tape; use detach() to take its value only");
  return variable.node_;
}

Variable Tape::watch(Tensor value, std::string_view name) {
  Variable leaf = push(name, std::move(value), {}, nullptr);
  nodes_.back().keep_gradient = true;
  return leaf;
}

Variable Tape::leaf(const ParameterPtr& parameter) {
  if (const auto found = leaves_.find(parameter.get()); found != leaves_.end())
    return {parameter->value(), serial_, found->second};
  Variable leaf = push(parameter->name(), parameter->value(), {}, nullptr);
  nodes_.back().parameter = parameter;
  leaves_.emplace(parameter.get(), leaf.node_);
  return leaf;
}

void Tape::backward(const Variable& loss) {
  if (loss.defined() && loss.value().size() != 1)
    fail<ShapeError>("Tape::backward: the loss has shape ", loss.shape(),
                     ", expected one element (reduce it with mean() or pass a seed)");
  backward(loss, loss.defined() ? Tensor::full(loss.shape(), 1, loss.dtype()) : Tensor());
}

void Tape::backward(const Variable& output, const Tensor& seed) {
  if (!output.recorded())
    fail<StateError>(
        "Tape::backward: the output is not recorded on a tape: create a Tape before the forward pass and use "
        "parameters or watched leaves in it");
  if (used_)
    fail<StateError>("Tape::backward: this tape was already used; record the forward pass again on a new tape");
  const std::int32_t last = node_of(output, "Tape::backward");
  if (seed.shape() != output.shape() || seed.dtype() != output.dtype())
    fail<ShapeError>("Tape::backward: the seed is ", seed.dtype(), " ", seed.shape(), ", expected ", output.dtype(),
                     " ", output.shape());
  used_ = true;
  nodes_[static_cast<std::size_t>(last)].gradient = seed.clone();
  if (current_observer) current_observer->backward_began();
  run(last);
}

void Tape::run(std::int32_t last) {
  for (std::int32_t i = last; i >= 0; --i) {
    Node& node = nodes_[static_cast<std::size_t>(i)];
    if (node.gradient.defined()) {
      if (node.parameter) node.parameter->accumulate(node.gradient);
      if (node.backward) {
        GradSink sink(*this, i);
        node.backward(node.gradient, sink);
      }
    }
    node.backward = nullptr;  // frees the saved tensors of this operation
    if (!node.keep_gradient)
      node.gradient = Tensor();
    else if (node.gradient.defined())
      make_unique(node.gradient);
    if (current_observer) current_observer->differentiated(node.name);
  }
}

Tensor Tape::gradient(const Variable& leaf) const {
  const std::int32_t number = node_of(leaf, "Tape::gradient");
  if (number < 0 || !nodes_[static_cast<std::size_t>(number)].keep_gradient)
    fail<StateError>("Tape::gradient: the variable is not a watched leaf of this tape");
  if (!used_) fail<StateError>("Tape::gradient: backward() has not run");
  const Node& node = nodes_[static_cast<std::size_t>(number)];
  return node.gradient.defined() ? node.gradient : Tensor::zeros(node.shape, node.dtype);
}

std::string Tape::dump() const {
  std::ostringstream out;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    out << '%' << i << " = " << nodes_[i].name << ' ' << nodes_[i].dtype << ' ' << nodes_[i].shape;
    for (const std::int32_t input : nodes_[i].inputs) {
      if (input < 0)
        out << " constant";
      else
        out << " %" << input;
    }
    out << '\n';
  }
  return out.str();
}

Variable record_operation(std::string_view name, Tensor value, std::span<const Variable> inputs, Backward backward) {
  Tape* tape = Tape::current();
  if (tape && tape->check_finite_) require_finite(scope_path + std::string(name), value);
  bool recorded = false;
  for (const Variable& input : inputs) recorded = recorded || input.recorded();
  if (!recorded) return Variable(std::move(value));
  if (!tape)
    fail<StateError>(scope_path, name,
                     ": an operand is recorded on a tape that is not in scope; use detach() to take its value only");
  Variable result = tape->push(name, std::move(value), inputs, std::move(backward));
  if (current_observer) current_observer->recorded(tape->nodes_.back().name, result.value(), inputs);
  return result;
}

Variable variable_of(const ParameterPtr& parameter) {
  if (Tape* tape = Tape::current(); tape && parameter->trainable()) return tape->leaf(parameter);
  return Variable(parameter->value());
}

}  // namespace bitgrad
