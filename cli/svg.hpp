// Charts as inline SVG. Colours are CSS variables of the page: --ink, --muted, --grid, and --series-0, -1, ...
#pragma once

#include <string>
#include <vector>

#include <bitgrad/qat/quantization_statistics.hpp>

namespace bitgrad::cli {

constexpr int series_colours = 6;

struct Series {
  std::string name;
  int colour = 0;  ///< number of a CSS variable
  bool dashed = false;
  std::vector<std::pair<double, double>> points;
};

/// What lies across a line chart: epochs, or learning rates as their decimal logarithms, labelled as rates.
enum class Across { epochs, rates };

/// Lines over a common horizontal axis with ticks at whole numbers, with a legend below; points of epochs are marked
/// where they are few.
std::string line_chart(const std::vector<Series>& series, const std::string& title, const std::string& unit,
                       Across across = Across::epochs);

/// Positions of a tensor before (filled) and after quantization (bars), with the levels of the grid drawn in.
std::string histogram_chart(const QuantizedTensor& tensor);

}  // namespace bitgrad::cli
