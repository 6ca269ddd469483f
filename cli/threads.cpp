#include <bitgrad/cli/threads.hpp>

#include <CLI/App.hpp>
#include <iostream>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::cli {

CLI::Option* declare_threads(CLI::App& command, int& threads) {
  return command.add_option("--threads", threads, "Threads; 0: one per processor. Results do not depend on it")
      ->type_name("T")
      ->capture_default_str();
}

void check_threads(int threads) {
  if (threads < 0 || threads > 256) fail<UsageError>("--threads ", threads, ": expected 0 to 256");
}

void use_threads(int threads) {
  check_threads(threads);
  if (threads > 0) set_num_threads(threads);
  if (const std::string warning = blas_warning(); !warning.empty())
    std::cerr << "bitgrad: warning: " << warning << std::endl;
}

}  // namespace bitgrad::cli
