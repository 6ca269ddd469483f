// Timing a frozen graph.
#pragma once

#include <string>

#include <bitgrad/cli/bench/quantiles.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::cli {

/// How fast one engine runs batches of one size.
struct InferMeasurement {
  std::string engine;  ///< "float" or "integer"
  Index batch = 0;
  Quantiles batch_ms;
  std::size_t batches = 0;
  double peak_memory_mib = 0;    ///< resident, of the process so far
  double tensor_memory_mib = 0;  ///< largest sum of the pool's buffers in use

  double images_per_second() const { return 1000 * static_cast<double>(batch) / batch_ms.median; }
};

/// Makes a session and runs a batch of random images for so many seconds, after a warm-up.
InferMeasurement measure_inference(const InferenceGraph& graph, const std::string& engine, Index batch, double seconds);

/// JSON object as text.
std::string to_json(const InferMeasurement& measurement);

}  // namespace bitgrad::cli
