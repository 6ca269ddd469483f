// What `bitgrad train` was asked to do.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/layers/import_weights.hpp>
#include <bitgrad/qat/gradual.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bitgrad::cli {

/// The job, complete and checked.
struct TrainArguments {
  std::string data;
  std::string model;  ///< empty: that of --from
  std::string from;   ///< a float checkpoint to start with; empty: from scratch
  std::string init;   ///< a file of float weights to start with; empty: none
  WeightLayout init_layout = WeightLayout::bitgrad;
  std::string out;
  bool resume = false;
  bool replace = false;
  int threads = 0;                 ///< 0: as many as there are processors
  Index limit = 0;                 ///< use only the first images of both splits; 0: all
  std::optional<double> hold_out;  ///< share of the training images to test on; none: the test images are tested on
  std::uint64_t hold_out_seed = 1;
  std::int64_t save_every = 0;  ///< steps between checkpoints within an epoch; 0: only after epochs
  std::int64_t patience = 0;    ///< epochs without a higher test accuracy after which a stage ends; 0: any number
  bool best = false;            ///< a stage results in the epoch of the highest test accuracy, not in its last
  bool tensorboard = false;     ///< an event file beside metrics.csv
  std::string configuration;    ///< JSON text of all options, which --config takes
  Index calibration = 512;      ///< training images that quantizers are calibrated on
  TrainingOptions float_training;
  TrainingOptions quantized_training;
  QuantizationConfig quantization;
  std::vector<BitPhase> gradual;  ///< phases of the quantized training; empty: one, with the bits of `quantization`

  bool quantizes() const { return quantization.weights || quantization.activations || !quantization.overrides.empty(); }
};

/// The options of the subcommand as they are typed; what is not given gets a default that depends on the others.
struct TrainOptions {
  TrainArguments given;
  TrainingOptions training;  ///< what both stages share
  std::string config;        ///< a file of options
  std::optional<std::int64_t> epochs;
  std::int64_t qat_epochs = 0;
  std::optional<std::string> weights, activations, bits, calibration_method, init_layout;
  std::optional<std::uint64_t> hold_out_seed;
  std::optional<double> learning_rate, qat_learning_rate, qparams_rate;
  // Recipes of quantization-aware training.
  std::optional<double> freeze_batch_norm, temperature;
  double activation_delay = 0, distillation = 0;
  std::optional<std::string> gradual;

  void declare(CLI::App& command);
  /// Whether an option that declare() made decides nothing of the float model.
  static bool is_for_quantization(const CLI::Option& option);
  /// What --weights and --activations take, for the help.
  static std::string describe_spec();
  /// UsageError for what cannot be, with the nearest name for an unknown one.
  TrainArguments resolve(CLI::App& command);

 private:
  void declare_job(CLI::App& command);
  void declare_quantization(CLI::App& command);
  void declare_recipes(CLI::App& command);
  void declare_training(CLI::App& command);
  void check_given() const;
  void check_directory() const;
  /// --resume with other options than those of the run, which run.json has; `given`: typed, or from --config.
  void refuse_other_options(const std::vector<std::string>& given_options, const TrainArguments& arguments) const;
  /// What was typed and has no effect.
  void refuse_idle(const std::vector<std::string>& typed, const TrainArguments& arguments) const;
  void choose_phases(TrainArguments& arguments);
  void choose_recipe(TrainArguments& arguments) const;
  void choose_quantizers(TrainArguments& arguments) const;
  /// Values of options that depend on others, or on files, for run.json.
  std::map<std::string, std::string> resolved(const TrainArguments& arguments) const;
};

}  // namespace bitgrad::cli
