// The machine that measurements are made on, and what it can do at best.
#pragma once

#include <string>

namespace bitgrad::cli {

/// What has to stand beside every figure.
struct Machine {
  std::string processor;  ///< as the system names it
  int processors = 0;     ///< that this process may use
  int threads = 0;        ///< of the pool
  std::string isa;        ///< instruction set of the kernels
  std::string blas_core;  ///< whose kernels OpenBLAS runs
  double load = 0;        ///< runnable processes, mean of the last minute; -1 where the system does not tell
};

/// As things are now.
Machine describe_machine();

/// Ceilings, with all threads of the pool and the instruction set in use.
struct Peaks {
  /// float32 multiply-adds on registers; with `base`, which has none, multiplications and additions.
  double fma_gflops = 0;
  /// memcpy between buffers that fit no cache, read and written bytes together.
  double copy_gb_per_s = 0;
};

/// The best of repetitions that take about `seconds` together. Occupies 128 MiB while it runs: read peak_memory_mib()
/// before.
Peaks measure_peaks(double seconds);

/// Largest resident memory of the process so far: VmHWM of /proc/self/status. (getrusage would count that of the
/// program which started this one.) IoError where there is no such file.
double peak_memory_mib();

}  // namespace bitgrad::cli
