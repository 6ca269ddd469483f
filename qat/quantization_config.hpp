// What gets which quantizer, as data: the facade's configuration.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>

namespace bitgrad {

/// An exception from what the configuration says of all layers. It applies to the layers whose name matches `pattern`
/// and whose type is `type`; one of the two may be empty, which matches any. Later overrides win.
struct LayerOverride {
  std::string pattern = {};  ///< of names, `*` matching anything: "block*/conv1". The model's input is "input", exactly
  std::string type = {};     ///< Layer::type(): "Dense", "Conv2D", a user's own
  std::optional<QuantizerSpec> weights = {};  ///< of the layer's kernel
  /// Of the tensor that the layer computes, behind the batch normalisation and clamp that follow; of the model's input
  /// for "input".
  std::optional<QuantizerSpec> activations = {};
  std::optional<int> weight_bits = {};      ///< instead of `weights`: the quantizer stays what it is, with other bits
  std::optional<int> activation_bits = {};  ///< instead of `activations`, likewise
  /// Quantizers of other weights than the kernel, by name: "bias", "gain". A weight of one axis has one grid.
  std::map<std::string, QuantizerSpec> other_weights = {};
  bool keep_float = false;  ///< leave the layer's weights and the tensors it alone reads unquantized
  std::string origin = {};  ///< where the override comes from, for messages; empty: its number
};

struct QuantizationConfig {
  std::optional<QuantizerSpec> weights = QuantizerSpec{};  ///< kernels; empty: none
  std::optional<QuantizerSpec> activations = QuantizerSpec{.per_channel = false};
  /// Bits of the first and last layer's kernel and of the last layer's input; 0: as everywhere else. The model's input
  /// has 8 bits unless overridden.
  int first_last_bits = 8;
  /// Of quantizers whose spec names none. The model's input keeps its whole range unless its override names one.
  Calibration calibration = {};
  std::vector<LayerOverride> overrides = {};
};

/// Overrides from a file of mixed precision; docs/quantization.md has the format. IoError for a file that cannot be
/// read, ValueError naming the file, the entry and the field that is wrong.
std::vector<LayerOverride> read_bits_file(const io::Path& path);
/// The same from text; `what` names it in messages and origins.
std::vector<LayerOverride> parse_bits(std::string_view json, std::string_view what);
/// What parse_bits() reads back; the same overrides give the same text.
std::string bits_json(const std::vector<LayerOverride>& overrides);

}  // namespace bitgrad
