// The benchmarks: each adds itself to `bitgrad bench`.
#pragma once

namespace CLI {
class App;
}

namespace bitgrad::cli {

void add_bench_train_command(CLI::App& bench);
void add_bench_infer_command(CLI::App& bench);
void add_bench_kernels_command(CLI::App& bench);
void add_bench_scale_command(CLI::App& bench);

}  // namespace bitgrad::cli
