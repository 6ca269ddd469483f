#include <bitgrad/qat/export/tflite.hpp>

#include <bitgrad/qat/export/detail/tflite_exporter.hpp>

namespace bitgrad {

io::Bytes format_tflite(const InferenceGraph& graph, const TfliteOptions& options) {
  return tflite::serialize(tflite::Exporter(graph, options).run());
}

void write_tflite(const io::Path& path, const InferenceGraph& graph, const TfliteOptions& options) {
  io::write_file_atomically(path, format_tflite(graph, options));
}

}  // namespace bitgrad
