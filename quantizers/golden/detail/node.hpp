// A value of a manifest, with its path for messages.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/core/shape.hpp>

namespace bitgrad::golden::detail {

/// A JSON value that knows where it stands: whatever is missing or of another kind is a ValueError that says, for
/// example, "manifest.json: inferable_cases: inf_003: params: \"num_bits\" is missing".
class Node {
 public:
  /// The root of a document; ValueError naming `what` and the place where the text is no JSON, or nested too deeply.
  static Node parse(std::string_view text, std::string_view what);

  bool is_null() const;
  bool is_object() const;
  bool is_list() const;
  /// An object with the member; null counts.
  bool has(std::string_view key) const;
  Node at(std::string_view key) const;
  std::vector<std::pair<std::string, Node>> members() const;
  /// Of a list. Elements that have an "id" go by it in messages.
  std::vector<Node> elements() const;

  std::string string() const;
  bool boolean() const;
  Index integer() const;
  /// An integer from `low` to `high`.
  int integer(int low, int high) const;
  /// A JSON number, or {"__type__": "float", "data": "inf"}.
  double number() const;
  std::vector<double> numbers() const;
  std::vector<Index> integers() const;
  /// ValueError for more than 2^24 elements.
  Shape shape() const;
  /// Whether any number in it, at whatever depth, is not finite.
  bool has_nonfinite() const;
  /// The value as JSON text.
  std::string dump() const;

  const std::string& path() const { return path_; }
  /// Throws ValueError: the path, the value and what was expected.
  [[noreturn]] void wrong(std::string_view expected) const;

 private:
  Node(std::shared_ptr<const void> json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

  std::shared_ptr<const void> json_;  ///< the value; shares the document
  std::string path_;
};

}  // namespace bitgrad::golden::detail
