#include <bitgrad/qat/export/c_header.hpp>

#include <bitgrad/qat/export/detail/c_exporter.hpp>

namespace bitgrad {

std::string format_c_header(const InferenceGraph& graph, const CHeaderOptions& options) {
  return c::Exporter(graph, options).run();
}

void write_c_header(const io::Path& path, const InferenceGraph& graph, const CHeaderOptions& options) {
  io::write_file_atomically(path, format_c_header(graph, options));
}

}  // namespace bitgrad
