#include <bitgrad/core/io/npz.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>

namespace bitgrad::io {
namespace {

constexpr std::string_view suffix = ".npy";

}  // namespace

Bytes format_npz(const NamedTensors& tensors) {
  std::vector<ZipEntry> entries;
  for (const auto& [name, tensor] : tensors) entries.push_back({name + std::string(suffix), format_npy(tensor)});
  return format_zip(entries);
}

std::vector<ZipEntry> parse_npz_entries(std::span<const std::byte> bytes, std::string_view what) {
  std::vector<ZipEntry> entries = parse_zip(bytes, what);
  for (auto& [name, content] : entries) {
    if (name.size() <= suffix.size() || !name.ends_with(suffix))
      fail<IoError>(what, ": entry \"", name, "\": no array, expected a name that ends with ", suffix);
    name.resize(name.size() - suffix.size());
  }
  return entries;
}

std::string npz_entry(std::string_view what, std::string_view array) {
  return message(what, ": entry \"", array, suffix, '"');
}

NamedTensors parse_npz(std::span<const std::byte> bytes, std::string_view what) {
  NamedTensors tensors;
  for (const auto& [name, content] : parse_npz_entries(bytes, what))
    tensors.add(name, parse_npy(content, npz_entry(what, name)));
  return tensors;
}

void write_npz(const Path& path, const NamedTensors& tensors) { write_file_atomically(path, format_npz(tensors)); }

NamedTensors read_npz(const Path& path) { return parse_npz(read_file(path), path.string()); }

}  // namespace bitgrad::io
