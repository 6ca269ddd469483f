#include <catch2/catch.hpp>

#include <cstdlib>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/isa.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using kernels::Isa;

TEST_CASE("instruction sets have names, and unknown names are refused") {
  for (const Isa isa : kernels::all_isas) CHECK(kernels::isa_from_name(kernels::name_of(isa)) == isa);
  CHECK_THROWS_WITH(kernels::isa_from_name("avx"),
                    Catch::Contains("\"avx\"") && Catch::Contains("base, avx2, avx512 or avx512_vnni"));
}

TEST_CASE("the active instruction set is available, and the environment decides it") {
  CHECK(kernels::isa_available(Isa::base));
  CHECK(kernels::isa_available(kernels::active_isa()));
  if (const char* forced = std::getenv("BITGRAD_ISA")) CHECK(kernels::name_of(kernels::active_isa()) == forced);
}

TEST_CASE("set_isa switches to what the processor has and refuses the rest") {
  const Isa before = kernels::active_isa();
  for (const Isa isa : kernels::all_isas) {
    if (kernels::isa_available(isa)) {
      const IsaScope scope(isa);
      CHECK(kernels::active_isa() == isa);
    } else {
      CHECK_THROWS_AS(kernels::set_isa(isa), ValueError);
    }
  }
  CHECK(kernels::active_isa() == before);
}
