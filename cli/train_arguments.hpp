// What `bitgrad train` was asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <bitgrad/layers/import_weights.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>

namespace CLI {
class App;
}

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
  int threads = 0;                 ///< 0: as many as there are processors
  Index limit = 0;                 ///< use only the first images of both splits; 0: all
  std::optional<double> hold_out;  ///< share of the training images to test on; none: the test images are tested on
  std::uint64_t hold_out_seed = 1;
  Index calibration = 512;  ///< training images that quantizers are calibrated on
  TrainingOptions float_training;
  TrainingOptions quantized_training;
  QuantizationConfig quantization;

  bool quantizes() const { return quantization.weights || quantization.activations || !quantization.overrides.empty(); }
};

/// The options of the subcommand as they are typed; what is not given gets a default that depends on the others.
struct TrainOptions {
  TrainArguments given;
  TrainingOptions training;  ///< what both stages share
  std::optional<std::int64_t> epochs;
  std::int64_t qat_epochs = 0;
  std::optional<std::string> weights, activations, bits, calibration_method, init_layout;
  std::optional<std::uint64_t> hold_out_seed;
  std::optional<double> learning_rate, qat_learning_rate, qparams_rate;

  void declare(CLI::App& command);
  /// What --weights and --activations take, for the help.
  static std::string describe_spec();
  /// UsageError for what cannot be, with the nearest name for an unknown one.
  TrainArguments resolve() const;

 private:
  void choose_quantizers(TrainArguments& arguments) const;
};

}  // namespace bitgrad::cli
