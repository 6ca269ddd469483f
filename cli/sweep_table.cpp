#include <bitgrad/cli/sweep_table.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/cli/text_table.hpp>

namespace bitgrad::cli {
namespace {

GridPoint without_seed(const GridPoint& point) {
  GridPoint rest;
  std::ranges::copy_if(point, std::back_inserter(rest), [](const Setting& each) { return each.option != "seed"; });
  return rest;
}

/// "91.22 ± 0.13": mean and sample standard deviation, of one value no deviation.
std::string spread(const std::vector<double>& values, const char* number_format) {
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  std::string text = format(number_format, mean);
  if (values.size() > 1) text += format(" ± %.2f", std::sqrt(squares / static_cast<double>(values.size() - 1)));
  return text;
}

/// A field of a CSV file (RFC 4180): in quotes where it holds a comma or a quote.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

/// As precise as measurements are, without the last digits of binary fractions.
std::string number(double value) { return format("%.10g", value); }

/// Runs that differ in their seed only.
struct Combination {
  GridPoint point;
  std::vector<const Report*> reports;

  Row row() const {
    std::vector<double> before, after, change;
    std::int64_t differing = 0;
    for (const Report* report : reports) {
      before.push_back(report->float_accuracy);
      after.push_back(report->converted_accuracy);
      change.push_back(after.back() - before.back());
      differing += report->differing_codes;
    }
    Row row;
    for (const Setting& setting : point) row.push_back(setting.value);
    row.push_back(std::to_string(reports.size()));
    row.push_back(spread(before, "%.2f"));
    row.push_back(spread(after, "%.2f"));
    row.push_back(spread(change, "%+.2f"));
    row.push_back(format("%.1f", static_cast<double>(reports.front()->quantized_bytes) / 1024));
    row.push_back(std::to_string(differing));
    return row;
  }
};

}  // namespace

std::string sweep_csv(const std::vector<SweepResult>& results) {
  if (results.empty()) return {};
  std::string text = "run";
  for (const Setting& setting : results.front().point) text += message(',', setting.option);
  text += ",float_accuracy,quantized_accuracy,converted_accuracy,quantized_bytes,differing_codes,seconds\n";
  for (const SweepResult& result : results) {
    const Report& r = result.report;
    text += name_of(result.point);
    for (const Setting& setting : result.point) text += message(',', field(setting.value));
    text += message(',', number(r.float_accuracy), ',', number(r.quantized_accuracy), ',', number(r.converted_accuracy),
                    ',', r.quantized_bytes, ',', r.differing_codes, ',', number(r.seconds), '\n');
  }
  return text;
}

std::string sweep_markdown(const std::vector<SweepResult>& results) {
  if (results.empty()) return {};
  std::vector<Combination> combinations;
  for (const SweepResult& result : results) {
    const GridPoint point = without_seed(result.point);
    auto found = std::ranges::find(combinations, point, &Combination::point);
    if (found == combinations.end()) found = combinations.insert(combinations.end(), {point, {}});
    found->reports.push_back(&result.report);
  }
  Row header;
  for (const Setting& setting : combinations.front().point) header.push_back(setting.option);
  for (const char* column : {"runs", "float %", "converted %", "change", "KiB", "differing codes"})
    header.emplace_back(column);
  std::vector<Row> rows{header};
  for (const Combination& combination : combinations) rows.push_back(combination.row());
  return markdown_table(rows);
}

}  // namespace bitgrad::cli
