#include <bitgrad/core/kernels/isa.hpp>

#include <atomic>
#include <cstdlib>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/isa/table.hpp>

namespace bitgrad::kernels {
namespace {

/// With the products of VNNI where the processor has it.
KernelTable make_avx512_table() {
  KernelTable result = avx512_kernels;
  if (!__builtin_cpu_supports("avx512vnni")) return result;
  result.convolve_int32 = avx512_vnni_products.convolve_int32;
  result.has_quads = true;
  result.convolve_depthwise_codes = avx512_vnni_products.convolve_depthwise_codes;
  return result;
}

const KernelTable& avx512_table() {
  static const KernelTable instance = make_avx512_table();
  return instance;
}

const KernelTable& table_of(Isa isa) {
  if (isa == Isa::avx512) return avx512_table();
  return isa == Isa::avx2 ? avx2_kernels : base_kernels;
}

void require_available(Isa isa, std::string_view who) {
  if (!isa_available(isa))
    fail<ValueError>(who, ": this processor has no ", name_of(isa), "; the best it offers is ",
                     name_of(isa_available(Isa::avx2) ? Isa::avx2 : Isa::base));
}

Isa choose() {
  if (const char* name = std::getenv("BITGRAD_ISA"); name != nullptr && *name != '\0') {
    const Isa isa = isa_from_name(name);
    require_available(isa, "BITGRAD_ISA");
    return isa;
  }
  if (isa_available(Isa::avx512)) return Isa::avx512;
  return isa_available(Isa::avx2) ? Isa::avx2 : Isa::base;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> isa{choose()};
  return isa;
}

}  // namespace

std::string_view name_of(Isa isa) {
  if (isa == Isa::avx512) return "avx512";
  return isa == Isa::avx2 ? "avx2" : "base";
}

Isa isa_from_name(std::string_view name) {
  for (const Isa isa : {Isa::base, Isa::avx2, Isa::avx512})
    if (name == name_of(isa)) return isa;
  fail<ValueError>("BITGRAD_ISA: unknown instruction set \"", name, "\", expected base, avx2 or avx512");
}

bool isa_available(Isa isa) {
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && isa_available(Isa::avx2);
  return true;
}

bool uses_vnni(Isa isa) { return isa_available(isa) && table_of(isa).has_quads; }

Isa active_isa() { return current().load(std::memory_order_relaxed); }

void set_isa(Isa isa) {
  require_available(isa, "set_isa");
  current().store(isa, std::memory_order_relaxed);
}

const KernelTable& table() { return table_of(active_isa()); }

}  // namespace bitgrad::kernels
