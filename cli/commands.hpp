// The subcommands: each adds itself with its options, help and callback to the program.
#pragma once

#include <bitgrad/core/error.hpp>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// Arguments that are wrong whatever the files hold: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Input that cannot be read, where a script has to tell that from a comparison that failed: exit code 3.
class UnreadableInput : public Error {
 public:
  using Error::Error;
};

void add_train_command(CLI::App& program);
void add_data_command(CLI::App& program);
void add_lr_range_command(CLI::App& program);
void add_summary_command(CLI::App& program);
void add_verify_command(CLI::App& program);
void add_infer_command(CLI::App& program);
void add_table_command(CLI::App& program);
void add_report_command(CLI::App& program);
void add_sensitivity_command(CLI::App& program);
void add_allocate_command(CLI::App& program);
void add_sweep_command(CLI::App& program);
void add_golden_command(CLI::App& program);
void add_bench_command(CLI::App& program);
void add_check_command(CLI::App& program);
void add_quantizers_command(CLI::App& program);
void add_export_command(CLI::App& program);

}  // namespace bitgrad::cli
