// The main job: float training, quantization-aware training, conversion, verification, report.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include <bitgrad/cli/event_file.hpp>
#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/train_arguments.hpp>
#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/qat/checkpoint.hpp>

namespace bitgrad::cli {

class TrainingRun {
 public:
  /// Reads data and the file of --from or --init, then prepares the directory. ValueError for weights of another model,
  /// IoError for files that cannot be read or written.
  explicit TrainingRun(TrainArguments arguments);

  /// Does everything that is not done yet. ValueError for checkpoints of other options, DivergenceError, and Error when
  /// codes differ, after the report was written.
  void run();

 private:
  /// A stage of the run, or a phase of one (--gradual): what its checkpoints say, and where they are.
  struct Stage {
    std::string name;
    io::Path path;
    io::Path best;  ///< checkpoint of the best epoch, with --best
    TrainingOptions training;
    std::string options;  ///< JSON of all that decides the numbers
    std::optional<std::size_t> phase = {};
    std::int64_t epochs_before = 0;  ///< of the stage's phases before
    std::int64_t epochs = 0;         ///< of all of the stage's phases
    std::string title = {};          ///< for people
  };
  Stage float_stage() const;
  /// Phase 0 where there are no phases.
  Stage quantized_stage(std::size_t phase) const;
  /// What a phase quantizes to; phase 0 where there are none: the configuration.
  QuantizationConfig quantization(std::size_t phase) const;
  std::size_t phases() const { return std::max<std::size_t>(1, arguments_.gradual.size()); }
  /// That of a checkpoint; ValueError for one that this run does not have.
  std::size_t phase_of(const Stage& stage, const Checkpoint& checkpoint) const;

  /// The float model that training starts from.
  Model start_model() const;
  /// --init, with the normalisation of the images unless the file has one; ValueError or ShapeError naming the file and
  /// every tensor that does not fit.
  void load_initial_weights(Model& model, const NamedTensors& normalization) const;
  /// Throws what the model or the quantizers do, for images they cannot take and for specs that do not go together.
  void require_trainable() const;
  Model train_float();
  Model train_quantized(const Model& float_model);
  /// Attaches quantizers, calibrated on the first training images; plan_ says which.
  Model quantized(const Model& float_model, std::size_t phase);
  /// The stage's own checkpoint when this run resumes and there is one.
  std::optional<Checkpoint> saved(const Stage& stage) const;
  /// Trains, with the teacher where the options distil, to the last epoch, or as far as --patience lets it, with a row
  /// of metrics and a checkpoint after each. Interrupted when it was, with everything saved.
  void train(Model& model, const Stage& stage, const std::string& plan, const std::optional<Checkpoint>& saved,
             const Model* teacher = nullptr);
  [[noreturn]] void stop_here() const;
  /// Accuracy on the test images; DivergenceError when the model gives NaN or cannot be converted.
  double evaluated(const Model& model, std::int64_t epoch) const;
  void convert_and_verify(Model& model);
  void describe_quantizers();
  void describe_run();
  void say_outcome() const;
  bool is_finished() const;
  /// ValueError for a checkpoint of other images or starting weights.
  void require_same_inputs(const Stage& stage, const Checkpoint& checkpoint) const;
  void require_same_model(const io::Path& path, const Checkpoint& checkpoint) const;

  TrainArguments arguments_;
  RunDirectory directory_;
  std::optional<RunLock> lock_;
  data::Dataset train_, test_;  ///< test_: what is tested on, held out of the training images where that was asked for
  std::optional<Checkpoint> from_;
  std::string from_digest_;  ///< of the file of --from or --init
  std::optional<NamedTensors> init_;
  std::optional<MetricsFile> metrics_;
  std::optional<EventFile> events_;  ///< with --tensorboard
  Report report_;
  std::string plan_;  ///< of the quantized model, as JSON
};

}  // namespace bitgrad::cli
