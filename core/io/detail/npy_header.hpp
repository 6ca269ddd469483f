// What stands in front of the data of an npy file.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::io {

inline constexpr std::string_view npy_magic = "\x93NUMPY";
inline constexpr std::size_t npy_prefix_bytes = 10;  ///< magic, two bytes of version, two of header length

struct NpyArray {
  std::string descr;  ///< NumPy's name of the dtype: '<f4', '<U7'
  Shape shape;
  std::span<const std::byte> data;  ///< all that follows the header
};

/// Strict: magic, version, header, C order, at most Shape::max_rank axes. Dtype and data are left to the caller. Throws
/// IoError that starts with `what`, the file's name.
NpyArray parse_npy_header(std::span<const std::byte> bytes, std::string_view what);

/// IoError unless the data are exactly those of elements of so many bytes; `type` is the name of the dtype.
void require_npy_data(const NpyArray& array, std::string_view type, std::size_t element, std::string_view what);

}  // namespace bitgrad::io
