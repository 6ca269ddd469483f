#include <bitgrad/core/io/detail/npy_header.hpp>

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>

namespace bitgrad::io {
namespace {

/// Reads the header, a Python dictionary literal with exactly the keys descr, fortran_order and shape in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  void parse() {
    expect('{');
    while (peek() != '}') {
      parse_item();
      if (peek() != '}') expect(',');
    }
    expect('}');
    skip_spaces();
    if (at_ + 1 != text_.size() || text_[at_] != '\n') refuse("spaces and one newline after '}'");
    if (!descr || !fortran_order || !shape)
      fail<IoError>(what_, ": the npy header lacks descr, fortran_order or shape");
  }

  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<Index>> shape;

 private:
  void parse_item() {
    const std::string key = parse_string();
    expect(':');
    if (key == "descr" && !descr)
      descr = parse_string();
    else if (key == "fortran_order" && !fortran_order)
      fortran_order = parse_bool();
    else if (key == "shape" && !shape)
      shape = parse_shape();
    else
      fail<IoError>(what_, ": the npy header has an unknown or repeated key '", key, "'");
  }

  std::string parse_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') refuse("a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) refuse("a closing quote");
    const std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }

  bool parse_bool() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>("True", true), {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    refuse("True or False");
  }

  std::vector<Index> parse_shape() {
    std::vector<Index> result;
    expect('(');
    while (peek() != ')') {
      result.push_back(parse_extent());
      if (peek() != ')' || result.size() == 1) expect(',');  // a tuple of one needs its comma
    }
    expect(')');
    return result;
  }

  Index parse_extent() {
    peek();
    Index value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0) refuse("a non-negative extent of 64 bits");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  void expect(char wanted) {
    if (peek() != wanted) refuse(std::string("'") + wanted + "'");
    ++at_;
  }

  /// The next character that is no space; 0 at the end.
  char peek() {
    skip_spaces();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  [[noreturn]] void refuse(std::string_view expected) const {
    fail<IoError>(what_, ": malformed npy header, expected ", expected, " at position ", at_, " of \"",
                  text_.substr(0, 200), '"');
  }

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

Shape checked_shape(const std::vector<Index>& extents, std::string_view what) {
  try {
    return Shape(extents);
  } catch (const ShapeError& error) {
    fail<IoError>(what, ": ", error.what());
  }
}

}  // namespace

NpyArray parse_npy_header(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.size() < npy_prefix_bytes || text_of(bytes.first(npy_magic.size())) != npy_magic)
    fail<IoError>(what, ": not an npy file, it does not start with \\x93NUMPY, a version and a header length");
  const int major = std::to_integer<int>(bytes[6]), minor = std::to_integer<int>(bytes[7]);
  if (major != 1 || minor != 0) fail<IoError>(what, ": npy version is ", major, '.', minor, ", expected 1.0");
  const std::size_t header_size = get<std::uint16_t>(bytes, 8);
  if (bytes.size() - npy_prefix_bytes < header_size)
    fail<IoError>(what, ": truncated: the npy header has ", header_size, " bytes, ", bytes.size() - npy_prefix_bytes,
                  " follow");
  HeaderParser header(text_of(bytes.subspan(npy_prefix_bytes, header_size)), what);
  header.parse();
  if (*header.fortran_order)
    fail<IoError>(what, ": fortran_order is True, expected C order (save numpy.ascontiguousarray(x))");
  return {.descr = *header.descr,
          .shape = checked_shape(*header.shape, what),
          .data = bytes.subspan(npy_prefix_bytes + header_size)};
}

void require_npy_data(const NpyArray& array, std::string_view type, std::size_t element, std::string_view what) {
  std::size_t needed = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(array.shape.size()), element, &needed) ||
      needed != array.data.size())
    fail<IoError>(what, ": ", type, ' ', array.shape, " needs ", array.shape.size(), " elements of ", element,
                  " bytes, the file has ", array.data.size(), " bytes of data");
}

}  // namespace bitgrad::io
