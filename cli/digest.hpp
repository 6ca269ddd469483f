// Short fingerprints, so that a run is not continued on other data.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include <bitgrad/core/data/dataset.hpp>

namespace bitgrad::cli {

/// FNV-1a, 64 bits (Fowler, Noll, Vo), of bytes appended to what `hash` already stands for.
inline std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325U) {
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3U;
  return hash;
}

inline std::string hexadecimal(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

/// Of images and labels.
inline std::string digest(const data::Dataset& dataset) {
  const std::uint64_t images = fnv1a({dataset.images.bytes(), dataset.images.byte_size()});
  return hexadecimal(fnv1a({dataset.labels.bytes(), dataset.labels.byte_size()}, images));
}

}  // namespace bitgrad::cli
