// The main job: float training, quantization-aware training, conversion, verification, report.
#pragma once

#include <optional>
#include <string>

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
  /// A stage of the run: what its checkpoints say, and where they are.
  struct Stage {
    std::string name;
    io::Path path;
    io::Path best;  ///< checkpoint of the best epoch, with --best
    TrainingOptions training;
    std::string options;  ///< JSON of all that decides the numbers
  };
  Stage float_stage() const;
  Stage quantized_stage() const;

  /// The float model that training starts from.
  Model start_model() const;
  /// --init; ValueError or ShapeError naming the file and every tensor that does not fit.
  void load_initial_weights(Model& model) const;
  /// Throws what the model or the quantizers do, for images they cannot take and for specs that do not go together.
  void require_trainable() const;
  Model train_float();
  Model train_quantized(const Model& float_model);
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
  void describe_run();
  void require_same_model(const io::Path& path, const Checkpoint& checkpoint) const;

  TrainArguments arguments_;
  RunDirectory directory_;
  data::Dataset train_, test_;  ///< test_: what is tested on, held out of the training images where that was asked for
  std::optional<Checkpoint> from_;
  std::string from_digest_;  ///< of the file of --from or --init
  std::optional<NamedTensors> init_;
  std::optional<MetricsFile> metrics_;
  Report report_;
  std::string plan_;  ///< of the quantized model, as JSON
};

}  // namespace bitgrad::cli
