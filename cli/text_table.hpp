// Tables for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bitgrad::cli {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell; the first to the left, the others to the right; no spaces at the end of a
/// line. Rows may be shorter than the first; an empty one is an empty line.
std::string text_table(const std::vector<Row>& rows);

/// The same as a Markdown table; the first row is its header.
std::string markdown_table(std::vector<Row> rows);

/// The number of characters of a text in UTF-8.
std::size_t characters(const std::string& text);

/// printf of one number.
std::string format(const char* pattern, double value);

/// The fewest digits that read back to the same number.
std::string shortest(double value);

}  // namespace bitgrad::cli
