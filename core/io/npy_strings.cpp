#include <algorithm>
#include <charconv>
#include <cstdint>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/detail/npy_header.hpp>
#include <bitgrad/core/io/npy.hpp>

namespace bitgrad::io {
namespace {

/// '<U7' and '>U7' are seven code points of 32 bits, '|S7' is seven bytes.
struct StringType {
  bool wide = false, big_endian = false;
  std::size_t bytes = 0;  ///< of a string
};

StringType string_type(const std::string& descr, std::string_view what) {
  StringType type{.wide = descr.starts_with("<U") || descr.starts_with(">U"), .big_endian = descr.starts_with('>')};
  if (type.wide || descr.starts_with("|S")) {
    const char* const end = descr.data() + descr.size();
    std::size_t length = 0;
    const auto [stop, error] = std::from_chars(descr.data() + 2, end, length);
    const bool fits = !__builtin_mul_overflow(length, type.wide ? sizeof(std::uint32_t) : 1, &type.bytes);
    if (error == std::errc() && stop == end && length > 0 && fits) return type;
  }
  fail<IoError>(what, ": dtype is '", descr, "', expected strings: '<U', '>U' or '|S' and a length from 1 on");
}

bool is_code_point(std::uint32_t value) { return value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF); }

void append_utf8(std::string& text, std::uint32_t code) {
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // bytes after the first
  constexpr std::uint32_t marks[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(marks[more] | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

/// Read as if it were, and written anew: only UTF-8 in its shortest form comes out the same.
bool is_utf8(std::string_view text) {
  std::string again;
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t first = byte(at++);
    const int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    std::uint32_t code = more == 0 ? first : first & (0x3FU >> more);
    for (int i = 0; i < more; ++i) code = code << 6 | (byte(at++) & 0x3F);
    if (!is_code_point(code)) return false;
    append_utf8(again, code);
  }
  return again == text;
}

std::string decode_wide(std::span<const std::byte> data, bool big_endian, const std::string& where) {
  std::string text;
  for (std::size_t at = 0; at < data.size(); at += sizeof(std::uint32_t)) {
    const auto code = big_endian ? get_big_endian<std::uint32_t>(data, at) : get<std::uint32_t>(data, at);
    if (!is_code_point(code))
      fail<IoError>(where, ": character ", at / sizeof(std::uint32_t), " is ", code,
                    ", expected a code point of Unicode, up to 1114111 and none of 55296 to 57343");
    append_utf8(text, code);
  }
  return text;
}

std::string decode(std::span<const std::byte> data, const StringType& type, const std::string& where) {
  std::string text = type.wide ? decode_wide(data, type.big_endian, where) : std::string(text_of(data));
  text.erase(text.find_last_not_of('\0') + 1);
  if (text.find('\0') != std::string::npos) fail<IoError>(where, ": a NUL before other characters");
  if (!type.wide && !is_utf8(text)) fail<IoError>(where, ": not UTF-8");
  const auto control = std::ranges::find_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (control != text.end())  // they would be commands to a terminal
    fail<IoError>(where, ": byte ", control - text.begin(), " is the control character ", static_cast<int>(*control));
  return text;
}

}  // namespace

std::vector<std::string> parse_npy_strings(std::span<const std::byte> bytes, std::string_view what, Index most) {
  const NpyArray array = parse_npy_header(bytes, what);
  const StringType type = string_type(array.descr, what);
  const std::string name = message('\'', array.descr, '\'');
  if (array.shape.rank() != 1) fail<IoError>(what, ": strings ", name, ' ', array.shape, ", expected one axis");
  if (array.shape[0] > most) fail<IoError>(what, ": ", array.shape[0], " strings, expected at most ", most);
  require_npy_data(array, name, type.bytes, what);
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < array.data.size(); at += type.bytes)
    strings.push_back(decode(array.data.subspan(at, type.bytes), type, message(what, ": string ", strings.size())));
  return strings;
}

}  // namespace bitgrad::io
