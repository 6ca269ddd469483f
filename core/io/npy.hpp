// NumPy's .npy format, version 1.0.
// Specification: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::io {

/// The bytes of a file: a tensor of any dtype and rank, little-endian, C order, the data aligned to 64 bytes.
/// Throws ShapeError for an undefined tensor.
Bytes format_npy(const Tensor& tensor);

/// Strict: magic, version, header, a dtype that Tensor has, C order, at most Shape::max_rank axes, and exactly as many
/// bytes as the shape needs, all checked before anything is allocated. Whole numbers of other widths, int16, uint16,
/// uint32, int64 and uint64, become int32, and must fit. Throws IoError that starts with `what`, the file's name.
Tensor parse_npy(std::span<const std::byte> bytes, std::string_view what);

/// The strings of an array of one axis, '<U' or '>U' (code points of 32 bits) or '|S' (UTF-8), as UTF-8; the NULs that
/// NumPy fills up with are left out. As strict as parse_npy(), and IoError as well for more than `most` strings, for
/// what is not a code point or not UTF-8, and for control characters.
std::vector<std::string> parse_npy_strings(std::span<const std::byte> bytes, std::string_view what, Index most);

/// Files; IoError names the path. Writing is atomic (see AtomicFile).
void write_npy(const Path& path, const Tensor& tensor);
Tensor read_npy(const Path& path);

}  // namespace bitgrad::io
