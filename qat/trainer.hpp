// The training loop, for float and for quantized models.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/autograd/reduce_on_plateau.hpp>
#include <bitgrad/autograd/schedule.hpp>
#include <bitgrad/autograd/weight_average.hpp>
#include <bitgrad/core/data/loader.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/training_options.hpp>

namespace bitgrad {

/// Training met a number that is not finite. The message says in which epoch and step and where it first appeared.
class DivergenceError : public Error {
 public:
  using Error::Error;
};

/// Where training is, after a step.
struct Progress {
  std::int64_t epoch = 0;  ///< counted from 1
  std::int64_t epochs = 0;
  Index batch = 0;  ///< batches of the epoch that are done
  Index batches = 0;
  double loss = 0;      ///< mean of the epoch so far
  double accuracy = 0;  ///< share of the epoch's samples so far that the training forward got right, in [0, 1]
  double images_per_second = 0;
  double seconds_left = 0;   ///< until the last epoch ends
  double step_loss = 0;      ///< mean over the samples of the last step
  double learning_rate = 0;  ///< of the last step
};

/// An epoch that is done.
struct EpochResult {
  std::int64_t epoch = 0;    ///< counted from 1
  double loss = 0;           ///< mean over the samples
  double accuracy = 0;       ///< of the training forward while it learned, in [0, 1]: for accuracy evaluate the model;
                             ///< of mixed images (mixup) the label with the larger share counts
  double learning_rate = 0;  ///< of the last step
  double images_per_second = 0;
  double seconds = 0;
};

struct TrainingCallbacks {
  std::function<void(const Progress&)> step;      ///< after every step
  std::function<void(const EpochResult&)> epoch;  ///< after every epoch: evaluate, save a checkpoint
  std::function<bool()> stop = {};                ///< asked after every step and every epoch: true ends fit()
};

/// Trains a built model to minimise the cross entropy of its logits. Deterministic: the order of samples depends on
/// seed and epoch, randomness in layers on seed and step, so that a trainer restored from a checkpoint continues to the
/// byte, within an epoch as well.
class Trainer {
 public:
  /// The model must outlive the trainer. StateError when it is not built, ShapeError when it does not take the images,
  /// ValueError naming the option that is out of range. `augmentation` is the caller's own, applied after that of the
  /// options, in the background while a step runs (with more than one thread); a checkpoint does not know it: give the
  /// same to the trainer that restores.
  Trainer(Model& model, data::Dataset train, TrainingOptions options, data::Augmentation augmentation = {});

  /// Whose answers the distillation of the options learns from, in evaluation mode; kept as a copy. ShapeError unless
  /// it takes and gives what the model does. A checkpoint does not hold it: give the same to the trainer that restores.
  void set_teacher(const Model& teacher);
  /// Learning rates of the caller's own instead of those of the options. A checkpoint does not hold them: give the same
  /// to the trainer that restores.
  void set_schedule(Schedule schedule) { schedule_ = std::move(schedule); }
  /// Trains from where it is to the last epoch, or until a callback says to stop; a later call goes on from there.
  /// StateError for distillation without a teacher. True when the last epoch is done. Throws DivergenceError when a
  /// loss, gradient or parameter is not finite; the model is then of no more use, and the epoch callback was not called
  /// for this epoch.
  bool fit(const TrainingCallbacks& callbacks = {});

  const TrainingOptions& options() const { return options_; }
  /// What is to be evaluated and shipped: a copy of the model, with averages in place of its trainable parameters and
  /// batch statistics where the options ask for them. Statistics are averaged as well because they belong to the
  /// weights: those of the last steps alone would not fit averages over many.
  Model result() const;
  std::int64_t epochs_done() const { return epoch_; }
  std::int64_t steps_done() const { return step_; }  ///< of the optimizer
  /// Writes epoch, step, seed, state, optimizer and progress of a checkpoint; the other fields are the caller's, who
  /// may add to the progress. The state is that of result(), so that every reader of the file gets what is shipped;
  /// where that is an average, the progress holds the weights that training goes on with.
  void store(Checkpoint& checkpoint) const;
  /// Continues from there, with the checkpoint's state loaded into the model. ValueError for another seed, for steps
  /// and batches that do not fit an epoch of this trainer, and for a name of model, optimizer, average or plateau that
  /// is missing or unexpected; ShapeError for a tensor of another shape or dtype. Seed and steps of whole epochs are
  /// looked at first; after any other error the model may hold part of the checkpoint: make trainer and model anew.
  void restore(const Checkpoint& checkpoint);

 private:
  /// Of the epoch that is under way.
  struct Sums {
    Index batches = 0, samples = 0, correct = 0;
    double loss = 0;  // over samples

    double mean_loss() const { return loss / static_cast<double>(samples); }
    double accuracy() const { return static_cast<double>(correct) / static_cast<double>(samples); }
  };
  class Pace;
  bool train_epoch(const Pace& pace, const TrainingCallbacks& callbacks);
  void train_step(const std::function<data::Batch(Index)>& batch_at);
  void add_gradient(const data::Batch& batch, double share, const Context& context);
  Progress progress(const Pace& pace) const;
  bool batch_norm_frozen() const;
  bool activations_delayed() const;
  Variable loss_of_labels(const Variable& logits, const data::Batch& batch) const;
  Variable objective(const Variable& logits, const Tensor& teacher, const data::Batch& batch) const;
  std::int64_t steps_per_epoch() const;
  void store_average(Checkpoint& checkpoint) const;
  void restore_average(const Checkpoint& checkpoint);
  void restore_plateau(const Checkpoint& checkpoint);
  void restore_sums(const Checkpoint& checkpoint);
  [[noreturn]] void explain_loss(double loss, const data::Batch& batch, const Context& context);
  void require_finite_gradients() const;
  void require_finite_parameters() const;

  Model& model_;
  std::optional<Model> teacher_;
  TrainingOptions options_;
  data::Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  std::optional<ReduceOnPlateau> plateau_;  // for that schedule
  std::optional<WeightAverage> average_;    // for ema
  double step_loss_ = 0;
  std::int64_t epoch_ = 0;
  std::int64_t step_ = 0;
  Sums sums_;
};

/// Trainer(model, train, options).fit(callbacks); then the model has the state of result(). Throws as Trainer does.
void fit(Model& model, const data::Dataset& train, const TrainingOptions& options,
         const TrainingCallbacks& callbacks = {});

}  // namespace bitgrad
