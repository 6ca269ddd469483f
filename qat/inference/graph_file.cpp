// InferenceGraph::save() and load().
#include <bitgrad/qat/inference/graph.hpp>

#include <filesystem>
#include <iomanip>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/gzip.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>

namespace bitgrad {
namespace {

inference::ArrayFile array_file(std::span<const std::byte> bytes) {
  std::ostringstream text;
  text << std::hex << std::setw(8) << std::setfill('0') << io::crc32(bytes);
  return {bytes.size(), text.str()};
}

NamedTensors read_arrays(const io::Path& path, const inference::ArrayFile& expected) {
  const io::Bytes bytes = io::read_file(path);
  const inference::ArrayFile found = array_file(bytes);
  if (found.bytes != expected.bytes || found.crc32 != expected.crc32)
    fail<IoError>(path.string(), ": ", found.bytes, " bytes with CRC-32 ", found.crc32,
                  ", but graph.json beside it expects ", expected.bytes, " bytes with CRC-32 ", expected.crc32,
                  "; the file is damaged or belongs to another graph");
  return io::parse_npz(bytes, path.string());
}

}  // namespace

void InferenceGraph::save(const std::string& directory) const {
  validate();
  const io::Path folder = directory;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail<IoError>(directory, ": cannot create the directory: ", error.message());
  const io::Bytes arrays = io::format_npz(inference::graph_arrays(*this));
  const std::string json = inference::format_graph(*this, array_file(arrays));
  io::AtomicFile array_out(folder / "graph.npz"), json_out(folder / "graph.json");
  array_out.write(arrays);
  json_out.write(json);
  io::AtomicFile* const both[] = {&array_out, &json_out};
  io::commit_together(both);  // where only one replaced what was there, load() notices
}

InferenceGraph InferenceGraph::load(const std::string& directory) {
  const io::Path folder = directory;
  const std::string name = (folder / "graph.json").string();
  const std::string json = io::read_text_file(name);
  try {
    InferenceGraph graph = inference::parse_graph(
        json, name, [&](const inference::ArrayFile& expected) { return read_arrays(folder / "graph.npz", expected); });
    graph.validate();
    return graph;
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    fail<IoError>(name, ": ", error.what());
  }
}

}  // namespace bitgrad
