// The fields of configurations as JSON, without a version: for formats whose own version stands for it.
#pragma once

#include <string>
#include <string_view>

#include <bitgrad/quantizers/config.hpp>

namespace bitgrad::detail {

std::string fields_json(const TrainableQuantizerWeightsConfig& config);
std::string fields_json(const TrainableQuantizerActivationConfig& config);

/// ValueError starting with `what` and naming the field that is missing, unknown or of the wrong type.
void read_fields(std::string_view json, std::string_view what, TrainableQuantizerWeightsConfig& config);
void read_fields(std::string_view json, std::string_view what, TrainableQuantizerActivationConfig& config);

}  // namespace bitgrad::detail
