// Optimizers: they change parameters along their gradients.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad {

/// How the parameters of one group are treated.
struct ParameterGroupOptions {
  double learning_rate_scale = 1.0;  ///< times the optimizer's learning rate
  double weight_decay = 0.0;         ///< adds weight_decay * parameter to the gradient
};

/// Parameters that are treated alike.
struct OptimizerGroup {
  std::vector<NamedParameter> parameters;
  ParameterGroupOptions options{};
};

/// The parameters of a model, e.g. model.parameters(), for which the predicate holds, in their order.
std::vector<NamedParameter> select_parameters(const std::vector<NamedParameter>& parameters,
                                              const std::function<bool(const NamedParameter&)>& predicate);

/// The usual groups.
struct GroupingOptions {
  double weight_decay = 0.0;                 ///< of kernels
  bool decay_vectors = false;                ///< also of weights of rank 0 and 1: biases, batch norm
  double qparams_learning_rate_scale = 1.0;  ///< of quantizer parameters, which are never decayed
};
/// Three groups: kernels (weights of rank 2 and more), vectors (other weights), quantizer parameters
/// (ParameterGroup::qparams).
std::vector<OptimizerGroup> group_parameters(const std::vector<NamedParameter>& parameters,
                                             const GroupingOptions& options = {});

/// Base of the optimizers. Their constructors throw ValueError for options out of range, a null parameter, and a name
/// or parameter that is listed twice. A step changes every trainable parameter that has a gradient; the others, and
/// what the optimizer remembers about them, stay as they are.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update with the current learning rate. Gradients are kept; see zero_gradient().
  void step();
  /// Sets all gradients to zero, for the next backward pass.
  void zero_gradient();

  double learning_rate() const { return learning_rate_; }
  /// Usually from a Schedule, before each step. Throws ValueError unless finite and not negative.
  void set_learning_rate(double rate);
  const std::vector<OptimizerGroup>& groups() const { return groups_; }
  /// Throws ValueError for an index out of range or illegal options.
  void set_group_options(std::size_t group, const ParameterGroupOptions& options);
  /// All parameters in order of the groups.
  std::vector<NamedParameter> parameters() const;

  /// Everything a resumed training needs to continue to the byte, besides the parameters and the learning rate: per
  /// parameter the number of its steps and its moments, under "block1/conv2/kernel/velocity".
  NamedTensors state() const;
  /// Puts back a state() of an optimizer with the same groups. Throws ValueError for a missing or unexpected name,
  /// ShapeError for another shape or dtype; then nothing has changed.
  void load_state(const NamedTensors& state);

 protected:
  /// What is remembered about one parameter.
  struct Slot {
    Index steps = 0;
    std::vector<Tensor> moments;  // of the parameter's shape and dtype, zeros at first
  };
  /// `moments` names the tensors of a slot. Throws as said above.
  Optimizer(std::string name, std::vector<OptimizerGroup> groups, double learning_rate,
            std::vector<std::string> moments);

  /// Updates one parameter; slot.steps is 1 in its first step.
  virtual void update(Parameter& parameter, Slot& slot, double rate, double weight_decay) = 0;

 private:
  void check(const ParameterGroupOptions& options) const;
  NamedTensors collect(bool copy) const;  // the state, as copies or as handles on the optimizer's own tensors

  std::string name_;
  std::vector<OptimizerGroup> groups_;
  double learning_rate_;
  std::vector<std::string> moments_;
  std::vector<Slot> slots_;  // in order of parameters()
};

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0.0;  ///< 0 <= momentum < 1
  bool nesterov = false;  ///< needs momentum
};

/// Stochastic gradient descent with PyTorch's formula (torch.optim.SGD without dampening): with g = gradient + decay *
/// p, v = momentum * v + g and p -= rate * v, or with Nesterov p -= rate * (g + momentum * v). Sutskever et al., "On
/// the importance of initialization and momentum", ICML 2013, with the rate outside of v.
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<OptimizerGroup> groups, const SgdOptions& options = {});
  /// group_parameters() without weight decay.
  explicit Sgd(const std::vector<NamedParameter>& parameters, const SgdOptions& options = {});

 private:
  void update(Parameter& parameter, Slot& slot, double rate, double weight_decay) override;
  SgdOptions options_;
};

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;     ///< 0 <= beta1 < 1
  double beta2 = 0.999;   ///< 0 <= beta2 < 1
  double epsilon = 1e-8;  ///< positive
};

/// Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1 with its bias correction. Weight
/// decay is part of the gradient, as in PyTorch's Adam.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<OptimizerGroup> groups, const AdamOptions& options = {});
  /// group_parameters() without weight decay.
  explicit Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options = {});

 private:
  void update(Parameter& parameter, Slot& slot, double rate, double weight_decay) override;
  AdamOptions options_;
};

/// Adam with decoupled weight decay: p shrinks by rate * decay * p in front of the step, and the gradient knows nothing
/// of it. Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, with the decay times
/// the whole learning rate, as in PyTorch's AdamW. The decay is that of the groups; without one it is Adam.
class AdamW : public Optimizer {
 public:
  explicit AdamW(std::vector<OptimizerGroup> groups, const AdamOptions& options = {});

 private:
  void update(Parameter& parameter, Slot& slot, double rate, double weight_decay) override;
  AdamOptions options_;
};

struct RmspropOptions {
  double learning_rate = 0.01;
  double smoothing = 0.99;  ///< of the mean of squares; 0 <= smoothing < 1
  double epsilon = 1e-8;
  double momentum = 0.0;  ///< 0 <= momentum < 1
};

/// Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera 2012: steps of g / (sqrt(v) + epsilon), where v is a moving
/// mean of g^2 from zero on; with PyTorch's momentum and weight decay (torch.optim.RMSprop, not centered).
class Rmsprop : public Optimizer {
 public:
  explicit Rmsprop(std::vector<OptimizerGroup> groups, const RmspropOptions& options = {});
  /// group_parameters() without weight decay.
  explicit Rmsprop(const std::vector<NamedParameter>& parameters, const RmspropOptions& options = {});

 private:
  void update(Parameter& parameter, Slot& slot, double rate, double weight_decay) override;
  RmspropOptions options_;
};

/// Scales all gradients so that their common Euclidean norm is at most `max_norm`; returns the norm before. Pascanu et
/// al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1. Throws ValueError unless
/// max_norm > 0, and when a gradient is NaN or infinite, naming its parameter.
double clip_gradient_norm(const std::vector<NamedParameter>& parameters, double max_norm);
/// Limits every element of every gradient to [-max_value, max_value]; NaN stays. Throws ValueError unless max_value >
/// 0.
void clip_gradient_value(const std::vector<NamedParameter>& parameters, double max_value);

}  // namespace bitgrad
