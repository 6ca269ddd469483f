// Golden vectors: what the reference system's quantizers gave for known inputs, as read from a directory with
// manifest.json and .npy files. The format is described in tests/golden/README.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/config.hpp>

namespace bitgrad::golden {

/// One inferable quantizer on one input.
struct InferableCase {
  std::string id, class_name;
  std::string json;  ///< class and constructor arguments as inferable_from_json() takes them
  std::vector<double>
      parameters;  ///< all thresholds or range bounds, for the check whether bitgrad refuses them on purpose
  int num_bits = 0;
  Tensor input, output;  ///< float32
  std::vector<double> scale;
  std::vector<double> zero_point, zero_point_if_rounded;  ///< whole numbers; the second only for uniform weights
  std::optional<double> lo, hi;
  std::vector<Index> platform_defined;  ///< elements whose value the reference leaves to the processor
};

/// A variable that a trainable quantizer creates.
struct GoldenVariable {
  std::string key, registered_as;
  bool trainable = false;
  Shape shape;
  std::vector<double> init;
  Tensor gradient;                ///< undefined: none
  std::vector<double> tolerance;  ///< absolute, one per element of the gradient; empty: not to be compared
};

/// What conversion gives right after initialisation.
struct GoldenConversion {
  bool refused = false;
  std::string class_name;
  std::string json;  ///< parameters of symmetric and power-of-two classes, as above; empty for uniform ones
  std::vector<double> scale, zero_point;  ///< of uniform classes
  Tensor output;
};

/// One forward and backward pass of a trainable quantizer, and its conversion.
struct TrainableCase {
  std::string id, class_name, identifier;
  bool weights = false;
  TrainableQuantizerWeightsConfig weights_config;        ///< where weights
  TrainableQuantizerActivationConfig activation_config;  ///< elsewhere
  bool freeze = false;
  bool special_values = false;  ///< huge or not finite inputs: gradients are not to be compared
  bool infinite_gradient_scale = false;
  Tensor x, dy, y, dx;
  std::vector<GoldenVariable> variables;
  GoldenConversion conversion;
};

/// Which class serves a target, method and identifier; an empty name: none.
struct LookupCase {
  std::string id;
  bool trainable = false;
  QuantizationTarget target{};
  QuantizationMethod method{};
  std::string identifier, class_name;
};

/// Thresholds and the powers of two that the reference makes of them.
struct PowerOfTwoCase {
  std::string id;
  bool at_start = false;  ///< else at conversion
  std::vector<double> threshold, result;
};

/// Ranges and how the reference adjusts them.
struct RangeCase {
  std::string id;
  bool single_precision = false;
  bool clamped = false;  ///< afterwards limited to contain zero
  int bits = 0;
  std::vector<double> min, max, adjusted_min, adjusted_max;
};

struct Manifest {
  std::vector<InferableCase> inferable;
  std::vector<TrainableCase> trainable;
  std::vector<LookupCase> lookups;
  std::vector<PowerOfTwoCase> powers_of_two;
  std::vector<RangeCase> ranges;
};

/// Reads manifest.json and the arrays it names. Throws IoError for what is missing, ValueError for what is malformed,
/// naming the case. `activation_channels_axis` goes into the configs of activations: 1 for the reference's
/// channels-first tensors.
Manifest read_manifest(const std::filesystem::path& directory, int activation_channels_axis = 1);

}  // namespace bitgrad::golden
