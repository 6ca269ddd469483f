// The loops over products of codes once more with VNNI: vpdpwssd multiplies and adds int16 pairs in one instruction,
// which vpmaddwd and vpaddd do in two, and vpdpbusd as many fours of bytes. The same sums.
#include <bitgrad/core/kernels/isa/table.hpp>

#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wunused-function"  // of all loops, two

namespace bitgrad::kernels {
namespace {

#include <bitgrad/core/kernels/isa/loops.inc>
#include <bitgrad/core/kernels/isa/vectors.inc>
//
#include <bitgrad/core/kernels/isa/convolution.inc>
#include <bitgrad/core/kernels/isa/depthwise.inc>

}  // namespace

extern const VnniProducts avx512_vnni_products = {
    .convolve_int32 = convolve<std::int32_t>,
    .convolve_depthwise_codes = convolve_depthwise_codes,
};

}  // namespace bitgrad::kernels
