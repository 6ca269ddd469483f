#include <bitgrad/cli/bench/machine.hpp>

#include <cstdlib>
#include <fstream>
#include <thread>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::cli {
namespace {

/// What follows `key` and a colon in a file of lines; empty when there is none.
std::string field(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : -1;
}

}  // namespace

Machine describe_machine() {
  return {.processor = field("/proc/cpuinfo", "model name"),
          .processors = static_cast<int>(std::thread::hardware_concurrency()),
          .threads = num_threads(),
          .isa = std::string(kernels::name_of(kernels::active_isa())),
          .blas_core = blas_core_name(),
          .load = load_average()};
}

double peak_memory_mib() {
  const std::string text = field("/proc/self/status", "VmHWM");  // "53212 kB"
  if (text.empty()) fail<IoError>("/proc/self/status: there is no VmHWM, the largest resident memory");
  return std::stod(text) / 1024;
}

}  // namespace bitgrad::cli
