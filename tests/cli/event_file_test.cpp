// What --tensorboard writes, read back field by field.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

#include <bitgrad/cli/event_file.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/tfrecord.hpp>
#include "support.hpp"

using namespace bitgrad;
using bitgrad::cli::EpochMetrics;
using bitgrad::cli::EventFile;
using Catch::Matchers::Contains;
using support::Workshop;

namespace {

using Part = std::span<const std::byte>;

/// Calls f(field, value or bytes) for every field of a protobuf message.
template <class F>
void for_each_field(Part message, F&& f) {
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(message[at++]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t tag = varint();
    const std::uint64_t size = (tag & 7) == 2 ? varint() : (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
    const std::uint64_t number = (tag & 7) == 0 ? varint() : 0;
    f(static_cast<int>(tag >> 3), number, message.subspan(at, size));
    at += size;
  }
}

struct Event {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string version;
  std::map<std::string, float> scalars;
};

template <class T>
T number_of(Part bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Event event_of(Part message) {
  Event event;
  for_each_field(message, [&](int field, std::uint64_t number, Part bytes) {
    if (field == 1) event.wall_time = number_of<double>(bytes);
    if (field == 2) event.step = number;
    if (field == 3) event.version = std::string(io::text_of(bytes));
    if (field != 5) return;
    for_each_field(bytes, [&](int, std::uint64_t, Part value) {
      std::string tag;
      for_each_field(value, [&](int inner, std::uint64_t, Part content) {
        if (inner == 1) tag = std::string(io::text_of(content));
        if (inner == 2) event.scalars[tag] = number_of<float>(content);
      });
    });
  });
  return event;
}

std::vector<Event> events_in(const io::Path& directory) {
  const std::vector<io::Path> files = EventFile::find(directory);
  REQUIRE(files.size() == 1);
  const io::Bytes bytes = io::read_file(files.front());
  const io::TfRecords records = io::read_tf_records(bytes);
  REQUIRE_FALSE(records.ends.empty());
  CHECK(records.ends.back() == bytes.size());
  std::vector<Event> events;
  for (const Part record : records.data) events.push_back(event_of(record));
  return events;
}

/// "float 1, float 2, quantized 1": the stage of every event behind the first, and its step.
std::string steps_of(const std::vector<Event>& events) {
  std::string text;
  for (std::size_t i = 1; i < events.size(); ++i) {
    const std::string tag = events[i].scalars.begin()->first;
    text += (i > 1 ? ", " : "") + tag.substr(0, tag.find('/')) + " " + std::to_string(events[i].step);
  }
  return text;
}

EpochMetrics row(const std::string& stage, std::int64_t epoch) {
  return {stage, epoch, 0.5, 81.25, 80, 0.001, 5000, 12.5};
}

}  // namespace

TEST_CASE("an event file has a version and a row per event") {
  const support::TemporaryDirectory directory;
  EventFile file(directory.path());
  file.follow({row("float", 1), row("quantized", 300)});
  const std::vector<Event> events = events_in(directory.path());
  REQUIRE(events.size() == 3);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[0].scalars.empty());
  CHECK(events[0].wall_time > 1.7e9);
  CHECK(steps_of(events) == "float 1, quantized 300");
  CHECK(events[2].scalars == std::map<std::string, float>{{"quantized/loss", 0.5F},
                                                          {"quantized/train_accuracy", 81.25F},
                                                          {"quantized/test_accuracy", 80.0F},
                                                          {"quantized/learning_rate", 0.001F}});
  CHECK_THAT(EventFile::find(directory.path()).front().filename().string(),
             Catch::Matchers::Matches("events\\.out\\.tfevents\\.[0-9]{10}\\.bitgrad"));
}

TEST_CASE("an event file is appended to, without steps twice and without torn records") {
  const support::TemporaryDirectory directory;
  std::vector<EpochMetrics> rows{row("float", 1), row("float", 2), row("float", 3)};
  EventFile(directory.path()).follow(rows);
  const io::Path path = EventFile::find(directory.path()).front();
  const io::Bytes before = io::read_file(path);
  EventFile(directory.path()).follow(rows);
  CHECK(io::read_file(path) == before);
  // A run that does its last epoch again, and goes on.
  rows.pop_back();
  EventFile resumed(directory.path());
  resumed.follow(rows);
  CHECK(steps_of(events_in(directory.path())) == "float 1, float 2");
  rows.push_back(row("float", 3));
  rows.push_back(row("quantized", 1));
  resumed.follow(rows);
  CHECK(steps_of(events_in(directory.path())) == "float 1, float 2, float 3, quantized 1");
  const io::Bytes after = io::read_file(path);
  CHECK(std::equal(before.begin(), before.begin() + 100, after.begin()));  // appended to, not written anew
  // Killed while it wrote: the torn record goes.
  std::filesystem::resize_file(path, after.size() - 5);
  EventFile(directory.path()).follow(rows);
  CHECK(steps_of(events_in(directory.path())) == "float 1, float 2, float 3, quantized 1");
  // No record at all: begun again.
  std::filesystem::resize_file(path, 3);
  EventFile(directory.path()).follow(rows);
  CHECK(steps_of(events_in(directory.path())) == "float 1, float 2, float 3, quantized 1");
}

TEST_CASE("train --tensorboard writes what metrics.csv says, also when it is resumed or asked for late") {
  const Workshop shop(64);
  std::vector<std::string> options = support::w4a4;
  REQUIRE(shop.train("plain", options).code == 0);
  CHECK(EventFile::find(shop / "plain").empty());
  options.push_back("--tensorboard");
  REQUIRE(shop.train("run", options).code == 0);
  const std::vector<Event> events = events_in(shop / "run");
  CHECK(steps_of(events) == "float 1, float 2, quantized 1, quantized 2, quantized 3");
  const auto rows = cli::MetricsFile(shop / "run/metrics.csv").rows();
  CHECK(events[3].scalars.at("quantized/test_accuracy") == Approx(rows[2].test_accuracy));
  CHECK(events[3].scalars.at("quantized/loss") == Approx(rows[2].train_loss));
  CHECK(events[3].scalars.at("quantized/learning_rate") == Approx(rows[2].learning_rate));
  CHECK_THAT(shop.text("run/run.json"), Contains("\"tensorboard\": true"));
  // Numbers do not depend on it.
  CHECK(shop.bytes("run/quantized.safetensors") == shop.bytes("plain/quantized.safetensors"));
  options.push_back("--resume");
  REQUIRE(shop.train("run", options).code == 0);
  CHECK(events_in(shop / "run").size() == 6);
  REQUIRE(shop.train("plain", options).code == 0);
  CHECK(steps_of(events_in(shop / "plain")) == steps_of(events));
  // A new run in the directory takes the old file away.
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--replace"}).code == 0);
  CHECK(EventFile::find(shop / "run").empty());
}
