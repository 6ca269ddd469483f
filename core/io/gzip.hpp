// Compressed data: gzip files (RFC 1952) and the raw deflate streams (RFC 1951) inside zip archives.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::io {

/// True when the bytes start with gzip's magic number 1f 8b.
bool is_gzip(std::span<const std::byte> bytes);

/// The content of a gzip file; several members in a row are joined, as RFC 1952 says. Truncated or corrupt data and
/// bytes after the last member throw IoError that starts with `what`, the file's name.
Bytes gunzip(std::span<const std::byte> bytes, std::string_view what);

/// The content of a file, unpacked when it is gzip, whatever its name. IoError with the path, as read_file() and
/// gunzip().
Bytes read_gzip_or_plain(const Path& path);

/// Unpacks a raw deflate stream that is said to hold `size` bytes. Throws IoError that starts with `what` unless it
/// holds exactly as many, without anything left over; an impossible size is refused before it is allocated.
Bytes inflate_raw(std::span<const std::byte> bytes, std::size_t size, std::string_view what);

/// The checksum of gzip, zip and PNG.
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace bitgrad::io
