// NumPy's .npz format: a zip archive of .npy files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/zip.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad::io {

/// The bytes of an archive with entry "NAME.npy" per tensor, stored, in order. Same content, same bytes: there is no
/// date in it. Throws as format_zip() does.
Bytes format_npz(const NamedTensors& tensors);

/// Reads what format_npz(), numpy.savez and numpy.savez_compressed write, and is as strict as parse_zip() and
/// parse_npy(). Throws IoError that starts with `what`, the file's name, and names the entry.
NamedTensors parse_npz(std::span<const std::byte> bytes, std::string_view what);

/// The arrays as npy files that are not read yet, by their names without ".npy": for those who want some of them, or
/// arrays that are no tensors. Throws IoError as parse_zip() does, and for an entry that is no array by its name.
std::vector<ZipEntry> parse_npz_entries(std::span<const std::byte> bytes, std::string_view what);

/// `what`, for messages about an array of the file.
std::string npz_entry(std::string_view what, std::string_view array);

/// Files; IoError names the path. Writing is atomic (see AtomicFile).
void write_npz(const Path& path, const NamedTensors& tensors);
NamedTensors read_npz(const Path& path);

}  // namespace bitgrad::io
