// How a model is trained, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// The defaults are those of a float model from scratch.
struct TrainingOptions {
  std::int64_t epochs = 1;
  Index batch = 64;
  Index accumulate = 1;  ///< batches whose gradients make one step: as one batch of so many images would, but for batch
                         ///< statistics
  std::string optimizer = "adam";  ///< one of optimizer_names()
  double learning_rate = 2e-3;     ///< the highest of the schedule
  double qparams_rate = 1;  ///< learning rate of quantizer parameters, as a factor; but with sgd also of their unit()
  std::string schedule = "cosine";  ///< one of schedule_names()
  double warmup_epochs = 0;         ///< the rate rises linearly over these
  double weight_decay = 0;          ///< of kernels; apart from the gradient with adamw
  double momentum = 0.9;            ///< of sgd and rmsprop
  double gradient_clip = 0;         ///< largest norm of all gradients together; 0: no limit
  double ema = 0;  ///< decay of the moving average of weights that is evaluated and shipped, in [0, 1); 0: the weights
  double label_smoothing = 0;    ///< in [0, 1)
  double frozen_batch_norm = 0;  ///< share of the steps, at the end, with frozen batch statistics and quantized biases
  double activation_delay = 0;   ///< epochs at the start in which activations are not quantized in training
  double distillation = 0;       ///< weight of the teacher's answers in the loss, in [0, 1]; the labels have the rest
  double temperature = 4;        ///< of the distillation
  std::uint64_t seed = 1;        ///< of the order of samples, of augmentation and of randomness in layers
  std::string augmentation =
      "none";        ///< of the training images, as data::parse_augmentation() takes it: "flip,shift:4"
  double mixup = 0;  ///< every training image is mixed with another, in shares from Beta(mixup, mixup); 0: none

  /// JSON object of all fields, augmentation only where there is one; the same options give the same text.
  std::string to_json() const;
};

/// `base` for a model with quantizers that starts from trained weights: batch statistics are frozen in the last third.
TrainingOptions quantized_training(TrainingOptions base = {});

/// A field of TrainingOptions that is out of range: "training: batch is 0, expected at least 1". The parts are there
/// for those whose users know the field by another name.
class TrainingOptionError : public ValueError {
 public:
  TrainingOptionError(std::string field, std::string value, std::string expected);
  const std::string& field() const { return field_; }        ///< "batch"
  const std::string& value() const { return value_; }        ///< "0"
  const std::string& expected() const { return expected_; }  ///< "at least 1"

 private:
  std::string field_, value_, expected_;
};

/// TrainingOptionError naming the field that is out of range, its value and what was expected; ValueError with the
/// nearest name for an optimizer or schedule that does not exist, and for an augmentation that cannot be read.
void validate(const TrainingOptions& options);

/// "adam", "adamw", "rmsprop", "sgd".
std::vector<std::string> optimizer_names();
/// "constant"; "cosine", to zero; "exponential", to a hundredth; "one-cycle", up over 30 % of the steps, then down to
/// almost zero; "plateau", to a tenth whenever the mean training loss of three epochs in a row has not been a new
/// lowest (ReduceOnPlateau); "step", to a tenth after one half and again after three quarters of the steps.
std::vector<std::string> schedule_names();
/// Of a float model from scratch: 0.05 for "sgd", 5e-4 for "rmsprop", else 2e-3.
double default_learning_rate(std::string_view optimizer);

}  // namespace bitgrad
