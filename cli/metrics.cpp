#include <bitgrad/cli/metrics.hpp>

#include <filesystem>
#include <iomanip>
#include <sstream>
#include <string_view>

#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {
namespace {

constexpr std::string_view header =
    "stage,epoch,train_loss,train_accuracy,test_accuracy,learning_rate,images_per_second,seconds,version";
constexpr int version = 1;

std::string format(const EpochMetrics& row) {
  std::ostringstream line;
  line << row.stage << ',' << row.epoch << std::setprecision(6) << ',' << row.train_loss << ',' << row.train_accuracy
       << ',' << row.test_accuracy << ',' << row.learning_rate << ',' << row.images_per_second << ',' << row.seconds
       << ',' << version;
  return line.str();
}

EpochMetrics parse(const std::string& line, const std::string& what, std::size_t number) {
  std::istringstream in(line);
  EpochMetrics row;
  char comma = 0;
  int row_version = 0;
  std::getline(in, row.stage, ',');
  in >> row.epoch;
  for (double* field : {&row.train_loss, &row.train_accuracy, &row.test_accuracy, &row.learning_rate,
                        &row.images_per_second, &row.seconds})
    in >> comma >> *field;
  in >> comma >> row_version;
  if (!in || !in.eof() || comma != ',') fail<IoError>(what, ":", number, ": expected ", header, ", found: ", line);
  if (row_version != version)
    fail<IoError>(what, ":", number, ": version ", row_version, " of metrics.csv, expected ", version);
  return row;
}

}  // namespace

std::string format_metrics(const std::vector<EpochMetrics>& rows) {
  std::string text(header);
  for (const EpochMetrics& row : rows) text += '\n' + format(row);
  return text + '\n';
}

std::vector<EpochMetrics> parse_metrics(const std::string& text, const std::string& what) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != header)
    fail<IoError>(what, ":1: expected the header ", header, ", found: ", line);
  std::vector<EpochMetrics> rows;
  for (std::size_t number = 2; std::getline(lines, line); ++number) rows.push_back(parse(line, what, number));
  return rows;
}

MetricsFile::MetricsFile(io::Path path) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) rows_ = parse_metrics(io::read_text_file(path_), path_.string());
}

void MetricsFile::resume_after(const std::string& stage, std::int64_t epoch) {
  std::erase_if(rows_, [&](const EpochMetrics& row) { return row.stage == stage && row.epoch > epoch; });
  write();
}

void MetricsFile::add(const EpochMetrics& row) {
  rows_.push_back(row);
  write();
}

void MetricsFile::write() const { io::write_file_atomically(path_, std::string_view(format_metrics(rows_))); }

}  // namespace bitgrad::cli
