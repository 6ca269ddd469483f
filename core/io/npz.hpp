// NumPy's .npz format: a zip archive of .npy files.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad::io {

/// The bytes of an archive with entry "NAME.npy" per tensor, stored, in order. Same content, same bytes: there is no
/// date in it. Throws as format_zip() does.
Bytes format_npz(const NamedTensors& tensors);

/// Reads what format_npz(), numpy.savez and numpy.savez_compressed write, and is as strict as parse_zip() and
/// parse_npy(). Throws IoError that starts with `what`, the file's name, and names the entry.
NamedTensors parse_npz(std::span<const std::byte> bytes, std::string_view what);

/// Files; IoError names the path. Writing is atomic (see AtomicFile).
void write_npz(const Path& path, const NamedTensors& tensors);
NamedTensors read_npz(const Path& path);

}  // namespace bitgrad::io
