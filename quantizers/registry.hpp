// Which quantizer serves a target, method and training method. Registration is explicit: built-ins register in one
// function, users call register_quantizer<Mine>().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/quantizers/trainable.hpp>

namespace bitgrad {

using WeightsFactory = TrainablePtr (*)(const TrainableQuantizerWeightsConfig&, bool freeze_quant_params);
using ActivationFactory = TrainablePtr (*)(const TrainableQuantizerActivationConfig&, bool freeze_quant_params);

/// A registered trainable class: its mark and how to build it. One of the factories is null.
struct TrainableEntry {
  std::string class_name;
  QuantizerMark mark;
  WeightsFactory weights = nullptr;
  ActivationFactory activation = nullptr;
};

/// The one registered class for (target, identifier, method). ValueError naming all three and the nearest identifier when
/// there is none or more than one.
const TrainableEntry& get_trainable_quantizer_class(QuantizationTarget target, std::string_view identifier,
                                                    QuantizationMethod method);
/// Class name of the inferable quantizer for (target, method); ValueError when there is none.
std::string_view get_inferable_quantizer_class(QuantizationTarget target, QuantizationMethod method);

/// Identifiers of all registered trainable quantizers, sorted, each once: "lsq", "mct-lsq", "mct-ste", ...
std::vector<std::string> trainable_identifiers();

TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerWeightsConfig& config,
                            bool freeze_quant_params = false);
TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerActivationConfig& config,
                            bool freeze_quant_params = false);

void register_entry(TrainableEntry entry);

}  // namespace bitgrad
