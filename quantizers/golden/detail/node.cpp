#include <bitgrad/quantizers/golden/detail/node.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>

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
  try {
    return {std::make_shared<json>(json::parse(text)), std::string(what)};
  } catch (const json::exception& error) {
    fail<ValueError>(what, ": no JSON document: ", error.what());
  }
}

void Node::wrong(std::string_view expected) const {
  std::string text = dump();
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  fail<ValueError>(path_, ": is ", text, ", expected ", expected);
}

bool Node::is_null() const { return value_of(json_).is_null(); }
bool Node::is_object() const { return value_of(json_).is_object(); }
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
  if (!value_of(json_).is_number_integer()) wrong("an integer");
  return value_of(json_).get<Index>();
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
  const std::vector<Index> extents = integers();
  return Shape(std::span<const Index>(extents));
}

bool Node::has_nonfinite() const {
  const std::function<bool(const json&)> any = [&](const json& value) {
    return written_out(value) || (value.is_structured() && std::any_of(value.begin(), value.end(), any));
  };
  return any(value_of(json_));
}

std::string Node::dump() const { return value_of(json_).dump(); }

}  // namespace bitgrad::golden::detail
