#include <bitgrad/quantizers/detail/json_object.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/strict_json.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad {

using nlohmann::json;

namespace {

constexpr int deepest = 64;  // levels of nesting

/// An integer that an int64 holds.
bool is_int64(const json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
}

bool is_int64_row(const json& value) { return value.is_array() && std::ranges::all_of(value, is_int64); }
bool is_number(const json& value) { return value.is_number(); }
bool is_text(const json& value) { return value.is_string(); }
bool is_object(const json& value) { return value.is_object(); }

double finite(std::string_view key, double value) {
  if (!std::isfinite(value))
    fail<ValueError>("JSON member \"", key, "\": ", value, " cannot be written, expected a finite number");
  return value;
}

}  // namespace

struct JsonWriter::Members {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();

  void set(std::string_view key, nlohmann::ordered_json value) { object[std::string(key)] = std::move(value); }
};

JsonWriter::JsonWriter() : members_(std::make_unique<Members>()) {}
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::add(std::string_view key, int value) {
  members_->set(key, value);
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, bool value) {
  members_->set(key, value);
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, std::string_view value) {
  members_->set(key, std::string(value));
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, double value) {
  members_->set(key, finite(key, value));
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, const std::vector<double>& values) {
  for (const double value : values) finite(key, value);
  members_->set(key, values);
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, const std::vector<std::int64_t>& values) {
  members_->set(key, values);
  return *this;
}
JsonWriter& JsonWriter::add_object(std::string_view key, std::string_view text) {
  members_->set(key, nlohmann::ordered_json::parse(text));
  return *this;
}
JsonWriter& JsonWriter::add_objects(std::string_view key, const std::vector<std::string>& texts) {
  auto list = nlohmann::ordered_json::array();
  for (const std::string& text : texts) list.push_back(nlohmann::ordered_json::parse(text));
  members_->set(key, std::move(list));
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, const std::optional<int>& value) {
  members_->set(key, value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json());
  return *this;
}
std::string JsonWriter::text() const { return members_->object.dump(); }

struct JsonReader::Members {
  std::string what;
  json object;
  std::set<std::string> asked;  // and read
  std::set<std::string> known;  // asked, or looked for

  const json& member(std::string_view key) {
    asked.emplace(key);
    known.emplace(key);
    const auto found = object.find(std::string(key));
    if (found == object.end()) fail<ValueError>(what, ": \"", key, "\" is missing");
    return *found;
  }
  /// A member that is a list of elements for which `is` holds.
  const json& list(std::string_view key, bool (*is)(const json&), std::string_view expected) {
    const json& value = member(key);
    if (!value.is_array() || !std::ranges::all_of(value, is)) wrong(key, value, expected);
    return value;
  }
  const json& one(std::string_view key, bool (*is)(const json&), std::string_view expected) {
    const json& value = member(key);
    if (!is(value)) wrong(key, value, expected);
    return value;
  }
  [[noreturn]] void wrong(std::string_view key, const json& value, std::string_view expected) const {
    constexpr std::size_t longest = 200;  // of a value in a message
    std::string text = value.dump();
    if (text.size() > longest) text = text.substr(0, longest) + "...";
    fail<ValueError>(what, ": \"", key, "\" is ", text, ", expected ", expected);
  }
};

JsonReader::JsonReader(std::string_view text, std::string_view what) : members_(std::make_unique<Members>()) {
  members_->what = what;
  try {
    members_->object = io::parse_strict_json<json>(text, what, deepest);
  } catch (const IoError& error) {
    throw ValueError(error.what());
  }
  if (!members_->object.is_object())
    fail<ValueError>(what, ": is a JSON ", members_->object.type_name(), ", expected an object");
}
JsonReader::~JsonReader() = default;

bool JsonReader::has(std::string_view key) const {
  members_->known.emplace(key);
  return members_->object.contains(std::string(key));
}

bool JsonReader::is_string(std::string_view key) const {
  return has(key) && members_->object[std::string(key)].is_string();
}

std::vector<std::string> JsonReader::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : members_->object.items()) names.push_back(key);
  return names;
}

int JsonReader::integer(std::string_view key) {
  const json& value = members_->member(key);
  const bool fits = value.is_number_integer() && value.get<double>() >= std::numeric_limits<int>::min() &&
                    value.get<double>() <= std::numeric_limits<int>::max();
  if (!fits) members_->wrong(key, value, "an integer");
  return value.get<int>();
}

int JsonReader::integer(std::string_view key, int fallback) { return has(key) ? integer(key) : fallback; }

std::int64_t JsonReader::integer64(std::string_view key) {
  return members_->one(key, is_int64, "an integer").get<std::int64_t>();
}

std::uint64_t JsonReader::unsigned64(std::string_view key) {
  const auto is_unsigned = [](const json& value) { return value.is_number_unsigned(); };
  return members_->one(key, is_unsigned, "an integer, 0 or more").get<std::uint64_t>();
}

double JsonReader::number(std::string_view key) { return members_->one(key, is_number, "a number").get<double>(); }

double JsonReader::number(std::string_view key, double fallback) { return has(key) ? number(key) : fallback; }

bool JsonReader::boolean(std::string_view key) {
  const json& value = members_->member(key);
  if (!value.is_boolean()) members_->wrong(key, value, "true or false");
  return value.get<bool>();
}

bool JsonReader::boolean(std::string_view key, bool fallback) { return has(key) ? boolean(key) : fallback; }

std::string JsonReader::string(std::string_view key) {
  return members_->one(key, is_text, "a string").get<std::string>();
}

std::string JsonReader::string(std::string_view key, std::string_view fallback) {
  return has(key) ? string(key) : std::string(fallback);
}

std::vector<double> JsonReader::numbers(std::string_view key) {
  return members_->list(key, is_number, "a list of numbers").get<std::vector<double>>();
}

std::vector<std::int64_t> JsonReader::integers(std::string_view key) {
  return members_->list(key, is_int64, "a list of integers").get<std::vector<std::int64_t>>();
}

std::vector<std::vector<std::int64_t>> JsonReader::integer_rows(std::string_view key) {
  return members_->list(key, is_int64_row, "a list of lists of integers").get<std::vector<std::vector<std::int64_t>>>();
}

std::vector<std::string> JsonReader::strings(std::string_view key) {
  return members_->list(key, is_text, "a list of strings").get<std::vector<std::string>>();
}

std::string JsonReader::object(std::string_view key) { return members_->one(key, is_object, "an object").dump(); }

std::vector<std::string> JsonReader::objects(std::string_view key) {
  std::vector<std::string> texts;
  for (const json& element : members_->list(key, is_object, "a list of objects")) texts.push_back(element.dump());
  return texts;
}

std::optional<int> JsonReader::optional_integer(std::string_view key) {
  if (!has(key)) return {};
  if (members_->member(key).is_null()) return {};
  return integer(key);
}

void JsonReader::finish() const {
  const std::vector<std::string> known(members_->known.begin(), members_->known.end());
  for (const auto& [key, value] : members_->object.items())
    if (!members_->asked.contains(key)) fail<ValueError>(members_->what, ": ", unknown_name("member", key, known));
}

}  // namespace bitgrad
