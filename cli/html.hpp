// Text that becomes part of a page.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

namespace bitgrad::cli {

/// The text with <, >, & and quotes written so that it stands for itself.
std::string escaped(std::string_view text);

/// An element: `element("td", "class=\"n\"", content)`; content and attributes as they are.
std::string element(std::string_view name, std::string_view attributes, std::string_view content);

/// A number in at most `digits` significant digits, without an exponent where that is short.
std::string shown(double value, int digits = 4);

/// 12,487,680
std::string grouped(std::int64_t number);

}  // namespace bitgrad::cli
