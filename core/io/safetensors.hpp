// The safetensors format: a JSON header and raw little-endian data.
// Specification: https://github.com/huggingface/safetensors, section "Format".
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad::io {

/// The free-form strings of the header's `__metadata__`.
using Metadata = std::map<std::string, std::string>;

struct SafeTensors {
  NamedTensors tensors;  ///< in the order of the header
  Metadata metadata;
};

/// The bytes of a file. Same tensors in the same order, same metadata: same bytes. The header names the tensors in
/// their order; the data is sorted by element size, largest first, so that every tensor is aligned to its elements.
/// Throws ValueError for a tensor named "__metadata__" and for names or metadata that are no UTF-8.
Bytes format_safetensors(const NamedTensors& tensors, const Metadata& metadata = {});

/// Strict: header length, JSON without duplicate keys, known dtypes, shapes, and offsets that cover the data without
/// hole, overlap or rest are all checked before anything is allocated. Throws IoError that starts with `what`, the
/// file's name.
SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view what);

/// Files; IoError names the path. Writing is atomic (see AtomicFile).
void write_safetensors(const Path& path, const NamedTensors& tensors, const Metadata& metadata = {});
SafeTensors read_safetensors(const Path& path);

}  // namespace bitgrad::io
