#define BITGRAD_KERNEL_TABLE avx2_kernels
#include <bitgrad/core/kernels/isa/kernels.inc>
