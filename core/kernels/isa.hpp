// Which instruction set the hot loops use, chosen at run time.
#pragma once

#include <array>
#include <string_view>

namespace bitgrad::kernels {

/// base: SSE2, every x86-64 processor. avx2: AVX2 and FMA. avx512: AVX-512 F, BW, DQ and VL. avx512_vnni: products of
/// codes with VNNI beside those. Each contains the ones before.
enum class Isa { base, avx2, avx512, avx512_vnni };

inline constexpr std::array all_isas{Isa::base, Isa::avx2, Isa::avx512, Isa::avx512_vnni};

/// "base", "avx2", "avx512" or "avx512_vnni".
std::string_view name_of(Isa isa);
/// The Isa of such a name. Throws ValueError for any other.
Isa isa_from_name(std::string_view name);

/// True when this processor (and its operating system) can run it.
bool isa_available(Isa isa);

/// The instruction set in use: the best available one, unless the environment variable BITGRAD_ISA names another.
/// Throws ValueError when BITGRAD_ISA is no such name or names one that this processor lacks.
Isa active_isa();

/// Chooses another one, for tests and comparisons; not while kernels run. Throws ValueError when the processor lacks
/// it.
void set_isa(Isa isa);

}  // namespace bitgrad::kernels
