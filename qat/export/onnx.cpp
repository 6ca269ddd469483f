#include <bitgrad/qat/export/onnx.hpp>

#include <bitgrad/qat/export/detail/onnx_exporter.hpp>

namespace bitgrad {
namespace {

void validate(const OnnxOptions& options) {
  if (options.opset != 13 && options.opset != 21 && options.opset != 25)
    fail<ValueError>("onnx: opset ", options.opset, ", expected 13, 21 or 25");
  if (options.opset < lowest_opset(options.pack))
    fail<ValueError>("onnx: weights packed in ", options.pack, " bits need opset ", lowest_opset(options.pack),
                     ", got opset ", options.opset);
}

}  // namespace

int lowest_opset(int pack) {
  if (pack != 8 && pack != 4 && pack != 2) fail<ValueError>("onnx: pack ", pack, ", expected 8, 4 or 2");
  return pack == 8 ? 13 : pack == 4 ? 21 : 25;
}

io::Bytes format_onnx(const InferenceGraph& graph, const OnnxOptions& options) {
  validate(options);
  return onnx::serialize(onnx::Exporter(graph, options).run());
}

void write_onnx(const io::Path& path, const InferenceGraph& graph, const OnnxOptions& options) {
  io::write_file_atomically(path, format_onnx(graph, options));
}

}  // namespace bitgrad
