#include <bitgrad/quantizers/detail/json_object.hpp>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

using nlohmann::json;

namespace {

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
JsonWriter& JsonWriter::add(std::string_view key, double value) {
  members_->set(key, finite(key, value));
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, std::string_view value) {
  members_->set(key, std::string(value));
  return *this;
}
JsonWriter& JsonWriter::add(std::string_view key, const std::vector<double>& values) {
  for (const double value : values) finite(key, value);
  members_->set(key, values);
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
  std::set<std::string> asked;

  const json& member(std::string_view key) {
    asked.emplace(key);
    const auto found = object.find(std::string(key));
    if (found == object.end()) fail<ValueError>(what, ": \"", key, "\" is missing");
    return *found;
  }
  [[noreturn]] void wrong(std::string_view key, const json& value, std::string_view expected) const {
    fail<ValueError>(what, ": \"", key, "\" is ", value.dump(), ", expected ", expected);
  }
};

JsonReader::JsonReader(std::string_view text, std::string_view what) : members_(std::make_unique<Members>()) {
  members_->what = what;
  members_->object = json::parse(text, nullptr, false);
  if (!members_->object.is_object()) fail<ValueError>(what, ": not a JSON object: ", text.substr(0, 60));
}
JsonReader::~JsonReader() = default;

bool JsonReader::has(std::string_view key) const { return members_->object.contains(std::string(key)); }

int JsonReader::integer(std::string_view key) {
  const json& value = members_->member(key);
  const bool fits = value.is_number_integer() && value.get<double>() >= std::numeric_limits<int>::min() &&
                    value.get<double>() <= std::numeric_limits<int>::max();
  if (!fits) members_->wrong(key, value, "an integer");
  return value.get<int>();
}

int JsonReader::integer(std::string_view key, int fallback) { return has(key) ? integer(key) : fallback; }

double JsonReader::number(std::string_view key, double fallback) {
  if (!has(key)) return fallback;
  const json& value = members_->member(key);
  if (!value.is_number()) members_->wrong(key, value, "a number");
  return value.get<double>();
}

bool JsonReader::boolean(std::string_view key) {
  const json& value = members_->member(key);
  if (!value.is_boolean()) members_->wrong(key, value, "true or false");
  return value.get<bool>();
}

bool JsonReader::boolean(std::string_view key, bool fallback) { return has(key) ? boolean(key) : fallback; }

std::string JsonReader::string(std::string_view key) {
  const json& value = members_->member(key);
  if (!value.is_string()) members_->wrong(key, value, "a string");
  return value.get<std::string>();
}

std::string JsonReader::string(std::string_view key, std::string_view fallback) {
  return has(key) ? string(key) : std::string(fallback);
}

std::vector<double> JsonReader::numbers(std::string_view key) {
  const json& value = members_->member(key);
  if (!value.is_array()) members_->wrong(key, value, "a list of numbers");
  std::vector<double> numbers;
  for (const json& element : value) {
    if (!element.is_number()) members_->wrong(key, value, "a list of numbers");
    numbers.push_back(element.get<double>());
  }
  return numbers;
}

std::optional<int> JsonReader::optional_integer(std::string_view key) {
  if (!has(key)) return {};
  if (members_->member(key).is_null()) return {};
  return integer(key);
}

void JsonReader::finish() const {
  for (const auto& [key, value] : members_->object.items())
    if (!members_->asked.contains(key)) fail<ValueError>(members_->what, ": unknown member \"", key, "\"");
}

}  // namespace bitgrad
