// Small zip archives: PKWARE's APPNOTE.TXT 6.3, without zip64, encryption and splitting.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::io {

struct ZipEntry {
  std::string name;
  Bytes content;
};

/// The bytes of an archive: entries stored without compression, all dated 1980-01-01, so that the same content is the
/// same bytes. Throws ValueError for repeated or too long names, NotImplementedError where zip64 would be needed (4
/// GiB, or 65,535 entries).
Bytes format_zip(const std::vector<ZipEntry>& entries);

/// Reads stored and deflated entries, in the order of the central directory. Strict: both headers of an entry must
/// agree, entries must lie inside the file without overlap, contents must have the announced size and checksum, names
/// must differ, and nothing may follow the end. Throws IoError that starts with `what`, the file's name.
std::vector<ZipEntry> parse_zip(std::span<const std::byte> bytes, std::string_view what);

/// The names of the entries alone, from the central directory. Throws IoError when that is damaged.
std::vector<std::string> list_zip(std::span<const std::byte> bytes, std::string_view what);

}  // namespace bitgrad::io
