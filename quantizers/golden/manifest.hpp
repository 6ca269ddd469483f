// Golden vectors: what the reference system's quantizers gave for known inputs, as read from a directory with
// manifest.json and .npy files. The format is described in tests/golden/README.md.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/config.hpp>

namespace bitgrad::golden {

/// One inferable quantizer on one input.
struct InferableCase {
  std::string id, class_name;
  std::string json;  ///< class and constructor arguments; numbers that are not finite are written as in the manifest
  Tensor input, output;  ///< float32
  /// What the reference derived from the arguments; empty for tables.
  std::vector<double> scale, min_range, max_range;
  std::vector<double> zero_point, zero_point_if_rounded;  ///< whole numbers; the second only for uniform weights
  std::optional<double> lo, hi;
  std::vector<Index> ulp_sensitive;     ///< elements that depend on whether x is multiplied or divided
  std::vector<Index> platform_defined;  ///< elements whose value the reference leaves to the processor
};

/// A trainable quantizer by class name, with the configuration of either kind.
struct TrainableSpec {
  std::string class_name;
  bool weights = false;  ///< which of the two configurations holds
  TrainableQuantizerWeightsConfig weights_config;
  TrainableQuantizerActivationConfig activation_config;
  bool freeze = false;

  const BaseQuantizerConfig& config() const;
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

/// A converted quantizer.
struct GoldenConversion {
  bool refused = false;
  std::string class_name;
  std::string json;                       ///< class and arguments of symmetric and power-of-two classes, else empty
  std::vector<double> threshold;          ///< of those
  std::vector<double> scale, zero_point;  ///< of uniform classes
  int num_bits = 0;
  std::optional<int> channel_axis;  ///< empty: per tensor
  Tensor output;                    ///< undefined in end-to-end cases
};

/// One forward and backward pass of a trainable quantizer, and its conversion right after initialisation.
struct TrainableCase {
  std::string id, identifier;
  TrainableSpec quantizer;
  bool special_values = false;  ///< huge or not finite inputs: gradients are not to be compared
  bool infinite_gradient_scale = false;
  Tensor x, dy, y, dx;
  std::vector<GoldenVariable> variables;
  GoldenConversion conversion;
};

/// A trained tensor of an end-to-end case; `offset` and `count` are its place in the flat arrays, if it is trainable.
struct GoldenParameter {
  /// "wrapper.weight", "wrapper.layer.bias", "input_holder.activation_holder_quantizer_out_min", ...
  std::string name;
  Shape shape;
  bool trainable = false;
  std::vector<double> init;  ///< empty: the array of that name
  Index offset = 0, count = 0;
};

/// A wrapped layer with activation holders: forward and backward, a few steps of training, conversion. Channels first,
/// as the reference has them: weight [out, in] or [out, in, kh, kw], images [batch, channels, h, w].
struct EndToEndCase {
  std::string id;
  bool convolution = false;            ///< else linear
  std::vector<Index> stride, padding;  ///< of convolutions: down, across
  TrainableSpec weight_quantizer;
  std::optional<TrainableSpec> input_holder, output_holder;
  Tensor weight, bias, x, dy, y, dx;  ///< no bias: undefined
  double rtol = 0, atol = 0, grad_rtol = 0, grad_atol = 0;
  std::vector<GoldenParameter> parameters;
  Tensor param_grads, final_params;  ///< flat
  double learning_rate = 0;
  Tensor target;               ///< of the mean squared error
  std::vector<double> losses;  ///< before each step
  GoldenConversion converted_weight;
  std::optional<GoldenConversion> converted_input, converted_output;
  Tensor output_after_conversion;
  bool conversion_sensitive = false;  ///< the converted output needs the recorded numbers
};

/// A construction, call or conversion that must be refused.
struct IllegalCase {
  enum class Kind { inferable, trainable, wrapper };
  enum class Stage { construct, call, convert };

  std::string id;
  Kind kind{};
  Stage stage{};
  std::string gist = {};  ///< why
  std::string what = {};  ///< a short name of the reason, for trainable and wrapper
  std::string json = {};  ///< of inferable ones, as in InferableCase
  TrainableSpec quantizer = {};
  bool has_config = false;  ///< else whichever suits the class
  std::optional<Shape> input_shape = {};
};

/// A construction that the reference accepts.
struct LegalCase {
  std::string id, json;
};

/// Which class serves a target, method and identifier; an empty name: none.
struct LookupCase {
  std::string id;
  bool trainable = false;
  QuantizationTarget target{};
  QuantizationMethod method{};
  std::string identifier, class_name;
};

/// A linear annealing and its values, or (without values) times that must be refused.
struct AnnealingCase {
  std::string id;
  double t_start = 0, t_end = 0, initial = 0, target = 0;
  std::vector<double> t, value;
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
  std::vector<EndToEndCase> end_to_end;
  std::vector<IllegalCase> illegal;
  std::vector<LegalCase> legal;
  std::vector<LookupCase> lookups;
  std::vector<AnnealingCase> annealing;
  std::vector<PowerOfTwoCase> powers_of_two;
  std::vector<RangeCase> ranges;
};

/// Gives the array of a path in the manifest's directory, or throws IoError.
using ReadArray = std::function<Tensor(const std::filesystem::path&)>;

/// Reads the text of manifest.json and the arrays it names; a list that is absent is empty. Throws IoError for a file
/// that is missing, truncated or of another shape than the manifest says, ValueError for what is malformed, naming the
/// case.
Manifest parse_manifest(std::string_view text, const std::filesystem::path& directory, const ReadArray& read);

/// parse_manifest() of the files in a directory.
Manifest read_manifest(const std::filesystem::path& directory);

}  // namespace bitgrad::golden
