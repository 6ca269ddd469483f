#define BITGRAD_KERNEL_TABLE avx512_kernels
#include <bitgrad/core/kernels/isa/kernels.inc>
