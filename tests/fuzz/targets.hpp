// Everything that reads bytes from outside, as functions that libFuzzer and the replay of its corpus call.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace bitgrad::fuzz {

using Input = std::span<const std::byte>;

/// A reader. Whatever the bytes are, it returns or throws what bitgrad throws for bad input, and what it took it can
/// write and read back to the same.
struct Target {
  std::string_view name;  ///< also of the corpus: tests/fuzz/corpus/NAME
  void (*read)(Input bytes);
};

/// All of them; where the bitgrad program is built, with those of its files.
std::vector<Target> targets();
std::vector<Target> cli_targets();

/// InternalError unless `holds`.
void require(bool holds, const char* what);

/// Reads; returns whether the bytes were taken. Exceptions that are no answer to bad input come through: those of the
/// standard library, and InternalError.
bool accepts(const Target& target, Input bytes);

}  // namespace bitgrad::fuzz
