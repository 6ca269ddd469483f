#include <bitgrad/quantizers/golden/detail/node.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/strict_json.hpp>

namespace bitgrad::golden::detail {

using nlohmann::json;

namespace {

const json& value_of(const std::shared_ptr<const void>& pointer) { return *static_cast<const json*>(pointer.get()); }

/// The number that {"__type__": "float", "data": ...} stands for, or null.
const std::string* written_out(const json& value) {
  if (!value.is_object() || value.value("__type__", json()) != "float") return nullptr;
  const auto data = value.find("data");
  return data != value.end() && data->is_string() ? data->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

Node Node::parse(std::string_view text, std::string_view what) {
  constexpr int deepest = 32;
  try {
    return {std::make_shared<json>(io::parse_strict_json<json>(text, what, deepest)), std::string(what)};
  } catch (const IoError& error) {
    throw ValueError(error.what());
  }
}

void Node::wrong(std::string_view expected) const {
  std::string text = dump();
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  fail<ValueError>(path_, ": is ", text, ", expected ", expected);
}

bool Node::is_null() const { return value_of(json_).is_null(); }
bool Node::is_object() const { return value_of(json_).is_object(); }
bool Node::is_list() const { return value_of(json_).is_array(); }
bool Node::has(std::string_view key) const { return value_of(json_).is_object() && value_of(json_).contains(key); }

Node Node::at(std::string_view key) const {
  if (!value_of(json_).is_object()) wrong("an object");
  const auto found = value_of(json_).find(key);
  if (found == value_of(json_).end()) fail<ValueError>(path_, ": \"", key, "\" is missing");
  return {std::shared_ptr<const void>(json_, &*found), message(path_, ": ", key)};
}

std::vector<std::pair<std::string, Node>> Node::members() const {
  if (!value_of(json_).is_object()) wrong("an object");
  std::vector<std::pair<std::string, Node>> result;
  for (const auto& [key, value] : value_of(json_).items()) result.emplace_back(key, at(key));
  return result;
}

std::vector<Node> Node::elements() const {
  if (!value_of(json_).is_array()) wrong("a list");
  std::vector<Node> result;
  for (const json& element : value_of(json_)) {
    const bool named = element.is_object() && element.contains("id") && element["id"].is_string();
    const std::string name = named ? element["id"].get<std::string>() : message(result.size());
    result.push_back({std::shared_ptr<const void>(json_, &element), message(path_, ": ", name)});
  }
  return result;
}

std::string Node::string() const {
  if (!value_of(json_).is_string()) wrong("a string");
  return value_of(json_).get<std::string>();
}

bool Node::boolean() const {
  if (!value_of(json_).is_boolean()) wrong("true or false");
  return value_of(json_).get<bool>();
}

Index Node::integer() const {
  const json& value = value_of(json_);
  const bool fits = !value.is_number_unsigned() || value.get<std::uint64_t>() <= std::numeric_limits<Index>::max();
  if (!value.is_number_integer() || !fits) wrong("an integer of 64 bits");
  return value.get<Index>();
}

int Node::integer(int low, int high) const {
  const Index value = integer();
  if (value < low || value > high) wrong(message("an integer from ", low, " to ", high));
  return static_cast<int>(value);
}

double Node::number() const {
  if (value_of(json_).is_number()) return value_of(json_).get<double>();
  const std::string* text = written_out(value_of(json_));
  if (text && *text == "inf") return std::numeric_limits<double>::infinity();
  if (text && *text == "-inf") return -std::numeric_limits<double>::infinity();
  if (text && *text == "nan") return std::numeric_limits<double>::quiet_NaN();
  wrong("a number");
}

std::vector<double> Node::numbers() const {
  std::vector<double> result;
  for (const Node& element : elements()) result.push_back(element.number());
  return result;
}

std::vector<Index> Node::integers() const {
  std::vector<Index> result;
  for (const Node& element : elements()) result.push_back(element.integer());
  return result;
}

Shape Node::shape() const {
  constexpr Index most_elements = 1 << 24;
  const std::vector<Index> extents = integers();
  try {
    const Shape result{std::span<const Index>(extents)};
    if (result.size() <= most_elements) return result;
  } catch (const ShapeError&) {
  }
  wrong(message("a shape of at most ", Shape::max_rank, " axes and ", most_elements, " elements"));
}

bool Node::has_nonfinite() const {
  const std::function<bool(const json&)> any = [&](const json& value) {
    return written_out(value) || (value.is_structured() && std::any_of(value.begin(), value.end(), any));
  };
  return any(value_of(json_));
}

std::string Node::dump() const { return value_of(json_).dump(); }

}  // namespace bitgrad::golden::detail
