#include <bitgrad/cli/text_table.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace bitgrad::cli {
namespace {

/// The rows with every cell as wide as the widest of its column: the first to the left, the others to the right.
std::vector<Row> aligned(std::vector<Row> rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
  }
  for (Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - characters(row[i]), ' ');
      row[i] = i == 0 ? row[i] + space : space + row[i];
    }
  return rows;
}

}  // namespace

std::size_t characters(const std::string& text) {  // all bytes but those that continue one
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string text_table(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : aligned(rows)) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += (i == 0 ? "" : "  ") + row[i];
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

std::string markdown_table(std::vector<Row> rows) {
  Row rule(rows.front().size(), "--:");
  rule.front() = ":--";
  rows.insert(rows.begin() + 1, std::move(rule));
  std::string text;
  for (const Row& row : aligned(std::move(rows))) {
    for (const std::string& cell : row) text += (&cell == &row.front() ? "| " : " | ") + cell;
    text += " |\n";
  }
  return text;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace bitgrad::cli
