// The contract of a quantizer that learns.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/autograd/operations/pending.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/quantizers/config.hpp>
#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad {

/// Base of all trainable quantizers. Derive from TrainableQuantizer<Mine>, which supplies marks(), type checks and
/// clone(). Variables are float32 parameters of group qparams unless said otherwise; they are copied with the
/// quantizer.
class BaseTrainableQuantizer {
 public:
  virtual ~BaseTrainableQuantizer() = default;

  /// The mark of its class, and the configuration that it was made from.
  virtual const QuantizerMark& marks() const = 0;
  virtual const BaseQuantizerConfig& config() const = 0;
  std::string_view identifier() const { return marks().identifier; }
  bool freeze_quant_params() const { return freeze_quant_params_; }

  /// Creates the variables. `shape` is the weight's shape; empty for activations. `name` is the weight's or holder's
  /// name and becomes part of the variables' full names. ShapeError when the configuration's parameters do not fit the
  /// weight.
  virtual void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) = 0;
  /// How much of the training is done, from 0 to 1; the trainer says it before every step. For quantizers that anneal;
  /// the others do not listen. After initialize_quantization().
  virtual void set_training_progress(double /*share*/) {}
  /// Differentiable quantization; output shape and dtype are the input's. StateError before initialize_quantization();
  /// ShapeError for an x that the parameters do not broadcast to; ValueError naming a variable that makes no grid.
  virtual Variable operator()(const Variable& x, bool training) = 0;
  /// The same for a value with steps that are still to be taken: quantizers that end in fake_quantize() pass x on to it
  /// and take them in the same pass; the default lets them be taken first.
  virtual Variable quantize_pending(const Pending& x, bool training) { return (*this)(x.value(), training); }
  /// A frozen quantizer with the current values. A class without conversion does not exist. StateError before
  /// initialize_quantization(); ValueError where the values make no grid.
  virtual InferablePtr convert2inferable() const = 0;
  virtual std::unique_ptr<BaseTrainableQuantizer> clone() const = 0;
  /// The properties that check_quantizer() (conformance.hpp) must not expect of it.
  virtual std::vector<Departure> departures() const { return {}; }

  struct QuantizerVariable {
    std::string key;  ///< "scale", "min", "ptq_threshold_tensor"
    ParameterPtr parameter;
  };
  /// Stores a variable under a key; an existing key is overwritten, as in the reference. ValueError for a null
  /// parameter.
  void add_quantizer_variable(std::string_view key, ParameterPtr parameter);
  /// StateError for an unknown key, also before initialize_quantization().
  const ParameterPtr& get_quantizer_variable(std::string_view key) const;
  /// Trainable variables of a group in the order of their creation. StateError when a frozen quantizer has trainable
  /// ones of group qparams.
  std::vector<ParameterPtr> get_trainable_variables(ParameterGroup group) const;
  /// All variables in order: what a state dict holds.
  const std::vector<QuantizerVariable>& variables() const { return variables_; }

 protected:
  explicit BaseTrainableQuantizer(bool freeze_quant_params) : freeze_quant_params_(freeze_quant_params) {}
  BaseTrainableQuantizer(const BaseTrainableQuantizer& other);  // variables are copied, not shared

  /// Creates a variable for initialize_quantization(): float32, group qparams, named NAME_KEY, starting from `start`
  /// (any floating dtype), trainable unless the quantizer is frozen.
  void add_learned_variable(std::string_view key, std::string_view name, const Tensor& start);
  /// A variable as an operand (variable_of): its leaf on the tape in scope, else a constant. StateError as
  /// get_quantizer_variable().
  Variable learned(std::string_view key) const { return variable_of(get_quantizer_variable(key)); }

  BaseTrainableQuantizer& operator=(const BaseTrainableQuantizer&) = delete;

 private:
  std::vector<QuantizerVariable> variables_;
  bool freeze_quant_params_;
};

using TrainablePtr = std::unique_ptr<BaseTrainableQuantizer>;

}  // namespace bitgrad
