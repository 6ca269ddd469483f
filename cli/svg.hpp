// Charts as inline SVG. Colours are CSS variables of the page: --ink, --muted, --grid, --cell, and --series-0, -1, ...;
// dashes are its classes dashed and turn-1, -2, ...
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bitgrad/qat/quantization_statistics.hpp>

namespace bitgrad::cli {

constexpr int series_colours = 6;
/// Times that the colours can be gone through: lines of a colour and another turn are dashed in another way.
constexpr int series_turns = 4;

struct Series {
  std::string name;
  int colour = 0;  ///< 0 to 23; number of a CSS variable, and past the last of them the first again in the next turn
  bool dashed = false;  ///< in each turn in a way of its own
  std::vector<std::pair<double, double>> points;
};

/// What lies across a line chart: epochs, or learning rates as their decimal logarithms, labelled as rates.
enum class Across { epochs, rates };

/// Lines over a common horizontal axis with ticks at whole numbers, with a legend below; points of epochs are marked
/// where they are few. 24 colours, each dashed or not, are 48 lines that differ.
std::string line_chart(const std::vector<Series>& series, const std::string& title, const std::string& unit,
                       Across across = Across::epochs);

/// Positions of a tensor before (filled) and after quantization (bars), with the levels of the grid drawn in.
std::string histogram_chart(const QuantizedTensor& tensor);

/// A confusion matrix, square, rows: labels, columns: predictions; cells are shaded by their share of the row and say
/// their numbers when pointed at. Where cells are too small for it, counts are not written into them, names are cut or
/// left out, and of more than 32 classes cells of no image are not drawn. ValueError unless there is a name and a row
/// of as many counts for each class.
std::string confusion_chart(const std::vector<std::vector<std::int64_t>>& confusion,
                            const std::vector<std::string>& class_names);

}  // namespace bitgrad::cli
