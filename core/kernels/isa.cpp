#include <bitgrad/core/kernels/isa.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/isa/table.hpp>

namespace bitgrad::kernels {
namespace {

KernelTable make_vnni_table() {
  KernelTable result = avx512_kernels;
  result.convolve_int32 = avx512_vnni_products.convolve_int32;
  result.has_quads = true;
  result.convolve_depthwise_codes = avx512_vnni_products.convolve_depthwise_codes;
  return result;
}

const KernelTable& table_of(Isa isa) {
  static const KernelTable avx512_vnni_kernels = make_vnni_table();
  switch (isa) {
    case Isa::avx512_vnni: return avx512_vnni_kernels;
    case Isa::avx512: return avx512_kernels;
    case Isa::avx2: return avx2_kernels;
    case Isa::base: break;
  }
  return base_kernels;
}

Isa best_available() {
  return *std::find_if(all_isas.rbegin(), all_isas.rend(), [](Isa isa) { return isa_available(isa); });
}

void require_available(Isa isa, std::string_view who) {
  if (!isa_available(isa))
    fail<ValueError>(who, ": this processor has no ", name_of(isa), "; the best it offers is ",
                     name_of(best_available()));
}

Isa choose() {
  if (const char* name = std::getenv("BITGRAD_ISA"); name != nullptr && *name != '\0') {
    const Isa isa = isa_from_name(name);
    require_available(isa, "BITGRAD_ISA");
    return isa;
  }
  return best_available();
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> isa{choose()};
  return isa;
}

}  // namespace

std::string_view name_of(Isa isa) {
  constexpr std::array<std::string_view, all_isas.size()> names{"base", "avx2", "avx512", "avx512_vnni"};
  return names[static_cast<std::size_t>(isa)];
}

Isa isa_from_name(std::string_view name) {
  for (const Isa isa : all_isas)
    if (name == name_of(isa)) return isa;
  fail<ValueError>("BITGRAD_ISA: unknown instruction set \"", name, "\", expected base, avx2, avx512 or avx512_vnni");
}

bool isa_available(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni: return __builtin_cpu_supports("avx512vnni") && isa_available(Isa::avx512);
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && isa_available(Isa::avx2);
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::base: break;
  }
  return true;
}

Isa active_isa() { return current().load(std::memory_order_relaxed); }

void set_isa(Isa isa) {
  require_available(isa, "set_isa");
  current().store(isa, std::memory_order_relaxed);
}

const KernelTable& table() { return table_of(active_isa()); }

}  // namespace bitgrad::kernels
