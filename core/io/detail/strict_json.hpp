// JSON text to value, without what nlohmann_json accepts silently. A template, so that no header includes that library.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/error.hpp>

namespace bitgrad::io {

/// `Json` is one of nlohmann's types. Throws IoError that starts with `what` for text that is no JSON, an object in
/// which a key occurs twice, and nesting beyond `max_depth`.
template <class Json>
Json parse_strict_json(std::string_view text, std::string_view what, int max_depth) {
  using Event = typename Json::parse_event_t;
  std::vector<std::set<std::string>> open_objects;
  const auto check = [&](int depth, Event event, Json& value) {
    if (depth > max_depth) fail<IoError>(what, ": nested deeper than ", max_depth, " levels");
    if (event == Event::object_start) open_objects.emplace_back();
    if (event == Event::object_end) open_objects.pop_back();
    if (event == Event::key && !open_objects.back().insert(value.template get<std::string>()).second)
      fail<IoError>(what, ": the key ", value.dump(), " occurs twice");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const typename Json::exception& error) {
    const std::string_view reason = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
    fail<IoError>(what, ": not JSON: ", reason.substr(std::min(reason.find("] ") + 2, reason.size())));
  }
}

}  // namespace bitgrad::io
