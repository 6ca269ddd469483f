// The entry point of libFuzzer; BITGRAD_FUZZ_TARGET is the name of the target.
#include <algorithm>
#include <cstdint>

#include "fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitgrad::fuzz;
  static const std::vector<Target> all = targets();
  static const Target& target = *std::ranges::find(all, BITGRAD_FUZZ_TARGET, &Target::name);
  accepts(target, std::as_bytes(std::span(data, size)));
  return 0;
}
