// Formats of integers alone have nothing to say of a graph of floats.
#pragma once

#include <string_view>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// NotImplementedError that begins with `format` for a graph without a single tensor of codes: one of float weights, or
/// of quantized ones whose layers compute on floats.
inline void require_codes(const InferenceGraph& graph, std::string_view format) {
  if (!graph.has_codes())
    fail<NotImplementedError>(format, ": no activations are quantized, so that every layer computes on float32 and ",
                              "there are no integers to write: train with --weights and --activations");
}

}  // namespace bitgrad
