#include <bitgrad/core/io/npz.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/zip.hpp>

namespace bitgrad::io {
namespace {

constexpr std::string_view suffix = ".npy";

}  // namespace

Bytes format_npz(const NamedTensors& tensors) {
  std::vector<ZipEntry> entries;
  for (const auto& [name, tensor] : tensors) entries.push_back({name + std::string(suffix), format_npy(tensor)});
  return format_zip(entries);
}

NamedTensors parse_npz(std::span<const std::byte> bytes, std::string_view what) {
  NamedTensors tensors;
  for (const auto& [name, content] : parse_zip(bytes, what)) {
    if (name.size() <= suffix.size() || !name.ends_with(suffix))
      fail<IoError>(what, ": entry \"", name, "\": no array, expected a name that ends with ", suffix);
    tensors.add(name.substr(0, name.size() - suffix.size()),
                parse_npy(content, message(what, ": entry \"", name, '"')));
  }
  return tensors;
}

void write_npz(const Path& path, const NamedTensors& tensors) { write_file_atomically(path, format_npz(tensors)); }

NamedTensors read_npz(const Path& path) { return parse_npz(read_file(path), path.string()); }

}  // namespace bitgrad::io
