#include <bitgrad/cli/bench/infer_measurement.hpp>

#include <nlohmann/json.hpp>

#include <bitgrad/cli/bench/machine.hpp>
#include <bitgrad/cli/bench/result.hpp>
#include <bitgrad/cli/bench/timing.hpp>
#include <bitgrad/cli/bench/workload.hpp>
#include <bitgrad/cli/engine.hpp>
#include <bitgrad/core/memory.hpp>

namespace bitgrad::cli {

InferMeasurement measure_inference(const InferenceGraph& graph, const std::string& engine, Index batch,
                                   double seconds) {
  const Shape& shape = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
  const Tensor images = data::to_unit_range(synthetic_dataset(shape, workload_classes, batch).images);
  const InferenceSession session = make_session(graph, engine);
  reset_peak_memory();
  const std::vector<double> times = time_calls(seconds, [&] { session.run(images); });
  return {.engine = engine,
          .batch = batch,
          .batch_ms = quantiles(times),
          .batches = times.size(),
          .peak_memory_mib = peak_memory_mib(),
          .tensor_memory_mib = static_cast<double>(memory_statistics().peak) / (1 << 20)};
}

std::string to_json(const InferMeasurement& m) {
  return nlohmann::ordered_json{{"engine", m.engine},
                                {"batch", m.batch},
                                {"images_per_second", m.images_per_second()},
                                {"batch_ms", m.batch_ms.median},
                                {"batch_ms_quantiles", nlohmann::ordered_json::parse(to_json(m.batch_ms))},
                                {"batches", m.batches},
                                {"peak_memory_mib", m.peak_memory_mib},
                                {"tensor_memory_mib", m.tensor_memory_mib}}
      .dump();
}

}  // namespace bitgrad::cli
