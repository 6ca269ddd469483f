#include <bitgrad/cli/text_table.hpp>

#include <algorithm>
#include <cstdio>

namespace bitgrad::cli {

std::string text_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

std::string markdown_table(const std::vector<Row>& rows) {
  std::vector<Row> framed;
  for (const Row& row : rows) {
    Row cells;
    for (std::size_t i = 0; i < row.size(); ++i) cells.push_back((i == 0 ? "| " : "") + row[i] + " |");
    framed.push_back(std::move(cells));
  }
  Row rule(rows.front().size(), "--: |");
  rule.front() = "| :-- |";
  framed.insert(framed.begin() + 1, std::move(rule));
  return text_table(framed);
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

}  // namespace bitgrad::cli
