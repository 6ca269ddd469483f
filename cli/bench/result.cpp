#include <bitgrad/cli/bench/result.hpp>

#include <iostream>
#include <nlohmann/json.hpp>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Speed {
  double gflops, gb_per_s;
  double of_peak, of_copy;  // shares
};

Speed speed_of(const Work& work, double ms, const Peaks& peaks) {
  const double gflops = ms > 0 ? work.flops / ms / 1e6 : 0, gb_per_s = ms > 0 ? work.bytes / ms / 1e6 : 0;
  return {gflops, gb_per_s, gflops / peaks.fma_gflops, gb_per_s / peaks.copy_gb_per_s};
}

}  // namespace

std::string describe(const Machine& machine) {
  const std::string load = machine.load < 0 ? "" : ", load " + format("%.2f", machine.load);
  return message(machine.threads, machine.threads == 1 ? " thread on " : " threads on ", machine.processors,
                 " processors (", machine.processor, "), kernels ", machine.isa, ", OpenBLAS ", machine.blas_core,
                 load);
}

std::string describe(const Peaks& peaks) {
  return format("%.0f GFLOP/s multiply-add, ", peaks.fma_gflops) + format("%.0f GB/s copy", peaks.copy_gb_per_s);
}

std::string describe(const Quantiles& quantiles, std::size_t count) {
  return format("%.3f ms, the median of ", quantiles.median) + std::to_string(count) +
         format(" (least %.3f", quantiles.least) + format(", 10 %% %.3f", quantiles.p10) +
         format(", 90 %% %.3f)", quantiles.p90);
}

Row speed_headings() { return {"GFLOP/s", "of peak", "GB/s", "of copy"}; }

Row speed_cells(const Work& work, double ms, const Peaks& peaks) {
  const Speed speed = speed_of(work, ms, peaks);
  Row cells(4);
  if (work.flops > 0) {
    cells[0] = format("%.1f", speed.gflops);
    cells[1] = format("%.0f %%", 100 * speed.of_peak);
  }
  if (work.bytes > 0) {
    cells[2] = format("%.1f", speed.gb_per_s);
    cells[3] = format("%.0f %%", 100 * speed.of_copy);
  }
  return cells;
}

std::string speed_note() {
  return "GB/s counts every operand and result once; more than 100 % of a copy between buffers that fit no cache means "
         "that a\n"
         "cache was used. GFLOP/s counts convolutions and matrix products alone.\n";
}

std::string to_json(const Machine& machine, const Peaks& peaks) {
  return Json{{"processor", machine.processor}, {"processors", machine.processors},
              {"threads", machine.threads},     {"isa", machine.isa},
              {"blas_core", machine.blas_core}, {"load_average", machine.load},
              {"fma_gflops", peaks.fma_gflops}, {"copy_gb_per_s", peaks.copy_gb_per_s}}
      .dump();
}

std::string to_json(const Quantiles& quantiles) {
  return Json{{"least", quantiles.least}, {"p10", quantiles.p10}, {"p25", quantiles.p25}, {"median", quantiles.median},
              {"p75", quantiles.p75},     {"p90", quantiles.p90}, {"p95", quantiles.p95}, {"most", quantiles.most}}
      .dump();
}

std::string speed_to_json(const Work& work, double ms, const Peaks& peaks) {
  const Speed speed = speed_of(work, ms, peaks);
  Json json = {
      {"flops", work.flops}, {"bytes", work.bytes}, {"gb_per_s", speed.gb_per_s}, {"share_of_copy", speed.of_copy}};
  if (work.flops > 0) {
    json["gflops"] = speed.gflops;
    json["share_of_peak"] = speed.of_peak;
  }
  return json.dump();
}

void write_result(const std::string& file, const std::string& text) {
  if (file.empty()) return;
  io::write_file_atomically(file, Json::parse(text).dump(2) + '\n');
  std::cout << "written to " << file << std::endl;
}

}  // namespace bitgrad::cli
