// What benchmarks print and write, in one form for all of them.
#pragma once

#include <string>

#include <bitgrad/cli/bench/machine.hpp>
#include <bitgrad/cli/bench/quantiles.hpp>
#include <bitgrad/cli/bench/work.hpp>
#include <bitgrad/cli/text_table.hpp>

namespace bitgrad::cli {

/// "2 threads on 2 processors (AMD EPYC), kernels avx512, OpenBLAS SkylakeX, load 0.42"
std::string describe(const Machine& machine);
/// "261 GFLOP/s multiply-add, 48 GB/s copy"
std::string describe(const Peaks& peaks);

/// "8.183 ms, the median of 242 (least 7.950, 10 % 8.020, 90 % 8.600)": of `count` samples in milliseconds.
std::string describe(const Quantiles& quantiles, std::size_t count);

/// How fast work was done, against the ceilings: cells GFLOP/s, of peak, GB/s, of copy; empty where they say nothing.
Row speed_cells(const Work& work, double ms, const Peaks& peaks);
/// The headings of these cells.
Row speed_headings();
/// A line on what the percentages mean.
std::string speed_note();

/// JSON objects as text.
std::string to_json(const Machine& machine, const Peaks& peaks);
std::string to_json(const Quantiles& quantiles);
std::string speed_to_json(const Work& work, double ms, const Peaks& peaks);

/// Writes the JSON object `text`, indented, beside the file and renames it. Does nothing for an empty file name.
/// IoError.
void write_result(const std::string& file, const std::string& text);

}  // namespace bitgrad::cli
