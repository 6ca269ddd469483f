#define BITGRAD_KERNEL_TABLE base_kernels
#include <bitgrad/core/kernels/isa/kernels.inc>
