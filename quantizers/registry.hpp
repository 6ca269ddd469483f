// Which quantizer serves a target, method and training method. Registration is explicit: built-ins register in one
// function (builtin.cpp), which the first look-up calls; users call register_quantizer<Mine>() (register.hpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/quantizers/trainable.hpp>

namespace bitgrad {

using WeightsFactory = TrainablePtr (*)(const TrainableQuantizerWeightsConfig&, bool freeze_quant_params);
using ActivationFactory = TrainablePtr (*)(const TrainableQuantizerActivationConfig&, bool freeze_quant_params);

/// Where a quantizer of weights starts for a given float32 weight: the quantization_params of its config.
using WeightsStart = QuantizationParams (*)(const Tensor& weight, const TrainableQuantizerWeightsConfig&);

/// A registered trainable class: its mark and how to build it. One of the factories is null.
struct TrainableEntry {
  std::string class_name;
  QuantizerMark mark;
  WeightsFactory weights = nullptr;
  ActivationFactory activation = nullptr;
  WeightsStart weights_start = nullptr;  ///< of a class with a start of its own; null: calibration finds one
};

/// The one registered class for (target, identifier, method). ValueError naming all three and the nearest identifier
/// when there is none or more than one.
const TrainableEntry& get_trainable_quantizer_class(QuantizationTarget target, std::string_view identifier,
                                                    QuantizationMethod method);
/// The method of a quantizer where nobody names one: SYMMETRIC if it serves that, else the first of its mark.
/// ValueError for an identifier without a class for this target.
QuantizationMethod default_method(QuantizationTarget target, std::string_view identifier);

/// A registered inferable class: its mark and how to read what its to_json() wrote.
struct InferableEntry {
  std::string class_name;
  QuantizerMark mark;
  InferablePtr (*from_json)(std::string_view json) = nullptr;
};

/// Class name of the inferable quantizer for (target, method); ValueError when there is none or more than one.
std::string_view get_inferable_quantizer_class(QuantizationTarget target, QuantizationMethod method);

/// Identifiers of all registered trainable quantizers, sorted, each once: "lsq", "mct-lsq", "mct-ste", ...
std::vector<std::string> trainable_identifiers();

/// A new quantizer of the class for (target of the config, identifier, the config's method). ValueError when there is
/// no such class, and for what its constructor refuses.
TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerWeightsConfig& config,
                            bool freeze_quant_params = false);
TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerActivationConfig& config,
                            bool freeze_quant_params = false);

/// What register_quantizer<Q>() ends in. ValueError naming both classes when one of that name is already registered.
void register_entry(TrainableEntry entry);
void register_entry(InferableEntry entry);

/// All registered trainable classes, and all inferable ones, in the order of registration.
std::vector<TrainableEntry> trainable_quantizers();
std::vector<InferableEntry> inferable_quantizers();

}  // namespace bitgrad
