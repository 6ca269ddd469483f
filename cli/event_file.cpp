#include <bitgrad/cli/event_file.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/protobuf.hpp>
#include <bitgrad/core/io/tfrecord.hpp>

namespace bitgrad::cli {
namespace {

namespace fs = std::filesystem;
using protobuf::Message;

constexpr std::string_view name_start = "events.out.tfevents.";

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Fields of tensorflow.Event.
namespace event {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5;
}

Message version_event() {
  Message message;
  message.real64(event::wall_time, seconds_now());
  message.text(event::file_version, "brain.Event:2");
  return message;
}

/// tensorflow.Summary.Value
Message scalar(const std::string& tag, double value) {
  Message message;
  message.text(1, tag);
  message.real(2, static_cast<float>(value));
  return message;
}

Message row_event(const EpochMetrics& row) {
  Message summary;
  summary.message(1, scalar(row.stage + "/loss", row.train_loss));
  summary.message(1, scalar(row.stage + "/train_accuracy", row.train_accuracy));
  summary.message(1, scalar(row.stage + "/test_accuracy", row.test_accuracy));
  summary.message(1, scalar(row.stage + "/learning_rate", row.learning_rate));
  Message message;
  message.real64(event::wall_time, seconds_now());
  message.integer(event::step, row.epoch);
  message.message(event::summary, summary);
  return message;
}

}  // namespace

std::vector<io::Path> EventFile::find(const io::Path& directory) {
  std::vector<io::Path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.path().filename().string().starts_with(name_start)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

EventFile::EventFile(const io::Path& directory) {
  const std::vector<io::Path> files = find(directory);
  if (files.empty()) {
    // The time in seconds, ten digits of it, and a name of the writer's own: the order in which TensorBoard reads.
    const std::string seconds = std::to_string(static_cast<std::int64_t>(seconds_now()));
    path_ = directory / message(name_start, seconds, ".bitgrad");
    return;
  }
  path_ = files.back();
  ends_ = io::read_tf_records(io::read_file(path_)).ends;
}

void EventFile::follow(const std::vector<EpochMetrics>& rows) {
  if (ends_.size() > rows.size() + 1) ends_.resize(rows.size() + 1);
  io::Bytes added;
  for (std::size_t i = ends_.size(); i <= rows.size(); ++i) {
    const Message next = i == 0 ? version_event() : row_event(rows[i - 1]);
    const io::Bytes record = io::tf_record(next.bytes());
    added.insert(added.end(), record.begin(), record.end());
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + record.size());
  }
  std::error_code error;
  const std::size_t kept = ends_.back() - added.size();
  if (fs::exists(path_) && fs::file_size(path_) != kept) fs::resize_file(path_, kept, error);
  if (error) fail<IoError>("cannot shorten ", path_.string(), ": ", error.message());
  std::ofstream file(path_, std::ios::binary | std::ios::app);
  file.write(reinterpret_cast<const char*>(added.data()), static_cast<std::streamsize>(added.size()));
  file.flush();
  if (!file) fail<IoError>("cannot write ", path_.string(), ": ", std::strerror(errno));
}

}  // namespace bitgrad::cli
