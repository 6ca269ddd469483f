// What is trained or run in a benchmark: a model by name on synthetic images.
#pragma once

#include <string>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/layers/model.hpp>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// The options that benchmarks of models share.
struct Workload {
  std::string model = "resnet8";
  std::string mode = "lsq";  ///< float, ste or lsq
  int bits = 8;              ///< of weights and activations; not with float
  Index width = 1;           ///< times the filters and units of the model
  Index batch = 32;

  /// Adds them to a subcommand.
  void declare(CLI::App& command);
  /// UsageError with the nearest name for an unknown one, or naming what is out of range.
  void check() const;
  /// UsageError for options that were typed and have no effect.
  void refuse_idle(const CLI::App& command) const;

  Shape input_shape() const;
  /// The model, built; with its quantizers when the mode has some.
  Model make() const;
  /// "resnet8 x2 (64, 64, 3), lsq 8 bits, batch 32"
  std::string describe() const;
  /// JSON object of all fields; float has 32 bits.
  std::string to_json() const;
};

constexpr Index workload_classes = 10;

/// Random images and labels.
data::Dataset synthetic_dataset(const Shape& image, Index classes, Index samples);

}  // namespace bitgrad::cli
