// JSON objects: how quantizers, their configurations and plans are written and read back, strictly.
#pragma once

#include <cstdint>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitgrad {

/// Builds an object with its members in the order of the calls. Numbers read back to the same bits.
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter& add(std::string_view key, int value);
  JsonWriter& add(std::string_view key, bool value);
  /// ValueError for a number that is not finite, here and in lists.
  JsonWriter& add(std::string_view key, double value);
  JsonWriter& add(std::string_view key, std::string_view value);
  JsonWriter& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  JsonWriter& add(std::string_view key, const std::vector<double>& values);
  /// null when empty.
  JsonWriter& add(std::string_view key, const std::optional<int>& value);
  JsonWriter& add(std::string_view key, const std::vector<std::int64_t>& values);
  /// A member that is JSON itself: what another writer's text() gave.
  JsonWriter& add_object(std::string_view key, std::string_view text);
  JsonWriter& add_objects(std::string_view key, const std::vector<std::string>& texts);
  std::string text() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

/// Reads the members of one object. Every failure is a ValueError naming the object and the member.
class JsonReader {
 public:
  /// Throws ValueError when the text is not a JSON object, naming `what` and where the text is wrong.
  JsonReader(std::string_view json, std::string_view what);
  ~JsonReader();

  bool has(std::string_view key) const;
  bool is_string(std::string_view key) const;
  /// Names of all members, sorted.
  std::vector<std::string> keys() const;
  /// Without a fallback the member must be there.
  int integer(std::string_view key);
  int integer(std::string_view key, int fallback);
  std::int64_t integer64(std::string_view key);
  std::uint64_t unsigned64(std::string_view key);
  double number(std::string_view key);
  double number(std::string_view key, double fallback);
  bool boolean(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::string string(std::string_view key);
  std::string string(std::string_view key, std::string_view fallback);
  std::vector<double> numbers(std::string_view key);
  std::vector<std::int64_t> integers(std::string_view key);
  std::vector<std::vector<std::int64_t>> integer_rows(std::string_view key);
  std::vector<std::string> strings(std::string_view key);
  /// The text of a member that is an object, or a list of objects, for a reader of its own.
  std::string object(std::string_view key);
  std::vector<std::string> objects(std::string_view key);
  /// Absent or null: empty.
  std::optional<int> optional_integer(std::string_view key);
  /// Throws for a member that nobody asked for, with the nearest that was looked for.
  void finish() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace bitgrad
