// The checks of one quantizer, frozen or trainable.
#pragma once

#include <bitgrad/quantizers/detail/conformance/recorder.hpp>

namespace bitgrad::conformance {

/// Everything about a frozen quantizer. `state` precedes the inputs in messages.
void check_frozen(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                  Recorder& recorder);

/// Everything about a trainable one, except its converted form by itself.
void check_trainable(const BaseTrainableQuantizer& quantizer, const ConformanceOptions& options, Recorder& recorder);

/// gradient: of an initialised quantizer, for x and every trainable variable.
void check_gradient(const BaseTrainableQuantizer& quantizer, int rank, const std::string& state,
                    const ConformanceOptions& options, Recorder& recorder);

/// "WeightsSymmetricInferableQuantizer: 4 bits, ..." or "mine::Mine Weights SYMMETRIC, 4 bits, 3 channels on axis 0".
std::string title(const BaseTrainableQuantizer& quantizer);

/// A copy with variables, for tensors of the rank and channels that the configuration means.
TrainablePtr initialized_copy(const BaseTrainableQuantizer& quantizer);
/// Rank of the tensors of a trainable quantizer: that of its thresholds, or 3.
int rank_of(const BaseTrainableQuantizer& quantizer);
/// The channels axis that weights with more than one threshold or range are configured for; empty otherwise.
std::optional<int> channel_axis_of(const BaseTrainableQuantizer& quantizer);

}  // namespace bitgrad::conformance
