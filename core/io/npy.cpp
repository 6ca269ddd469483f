#include <bitgrad/core/io/npy.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>

namespace bitgrad::io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t prefix_bytes = 10;  // magic, two bytes of version, two of header length
constexpr std::size_t data_alignment = 64;

struct DTypeName {
  DType dtype;
  std::string_view name;
};
constexpr DTypeName dtype_names[] = {{DType::float32, "<f4"},
                                     {DType::float64, "<f8"},
                                     {DType::int8, "|i1"},
                                     {DType::uint8, "|u1"},
                                     {DType::int32, "<i4"}};

/// A Python tuple: "()", "(3,)", "(3, 4)".
std::string tuple_of(const Shape& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ' ';
    text += std::to_string(shape[axis]) + ',';
  }
  if (shape.rank() > 1) text.pop_back();
  return text + ")";
}

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

DType dtype_of_name(const std::string& name, std::string_view what) {
  for (const auto& [dtype, known] : dtype_names)
    if (name == known) return dtype;
  fail<IoError>(what, ": dtype is '", name, "', expected '<f4', '<f8', '|i1', '|u1', '<i4' or '<i8'");
}

/// NumPy's whole numbers of 64 bits as int32.
Tensor narrowed(const Shape& shape, std::span<const std::byte> data, std::string_view what) {
  Tensor result(shape, DType::int32);
  for (Index i = 0; i < shape.size(); ++i) {
    const auto value = static_cast<std::int64_t>(get<std::uint64_t>(data, static_cast<std::size_t>(i) * 8));
    if (value != static_cast<std::int32_t>(value))
      fail<IoError>(what, ": element ", i, " of int64 ", shape, " is ", value, ", which does not fit int32");
    result.data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
  }
  return result;
}

Shape checked_shape(const std::vector<Index>& extents, std::string_view what) {
  try {
    return Shape(extents);
  } catch (const ShapeError& error) {
    fail<IoError>(what, ": ", error.what());
  }
}

}  // namespace

Bytes format_npy(const Tensor& tensor) {
  if (!tensor.defined()) fail<ShapeError>("npy: the tensor is undefined");
  const auto* dtype = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                   [&](const DTypeName& known) { return known.dtype == tensor.dtype(); });
  BITGRAD_ASSERT(dtype != std::end(dtype_names));
  std::string header =
      message("{'descr': '", dtype->name, "', 'fortran_order': False, 'shape': ", tuple_of(tensor.shape()), ", }");
  const std::size_t length = (prefix_bytes + header.size() + 1 + data_alignment - 1) / data_alignment * data_alignment;
  header.resize(length - prefix_bytes - 1, ' ');
  header += '\n';

  Bytes out;
  out.reserve(length + tensor.byte_size());
  put_text(out, magic);
  put<std::uint8_t>(out, 1);
  put<std::uint8_t>(out, 0);
  put<std::uint16_t>(out, static_cast<std::uint16_t>(header.size()));
  put_text(out, header);
  out.insert(out.end(), tensor.bytes(), tensor.bytes() + tensor.byte_size());
  return out;
}

Tensor parse_npy(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.size() < prefix_bytes || text_of(bytes.first(magic.size())) != magic)
    fail<IoError>(what, ": no npy file, it does not start with \\x93NUMPY, a version and a header length");
  const int major = std::to_integer<int>(bytes[6]), minor = std::to_integer<int>(bytes[7]);
  if (major != 1 || minor != 0) fail<IoError>(what, ": npy version is ", major, '.', minor, ", expected 1.0");
  const std::size_t header_size = get<std::uint16_t>(bytes, 8);
  if (bytes.size() - prefix_bytes < header_size)
    fail<IoError>(what, ": truncated: the npy header has ", header_size, " bytes, ", bytes.size() - prefix_bytes,
                  " follow");

  HeaderParser header(text_of(bytes.subspan(prefix_bytes, header_size)), what);
  header.parse();
  const bool wide = *header.descr == "<i8";
  const DType dtype = wide ? DType::int32 : dtype_of_name(*header.descr, what);
  if (*header.fortran_order)
    fail<IoError>(what, ": fortran_order is True, expected C order (save numpy.ascontiguousarray(x))");
  const Shape shape = checked_shape(*header.shape, what);
  const auto data = bytes.subspan(prefix_bytes + header_size);
  const std::size_t element = wide ? sizeof(std::int64_t) : size_of(dtype);
  std::size_t needed = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(shape.size()), element, &needed) || needed != data.size())
    fail<IoError>(what, ": ", wide ? "int64" : name_of(dtype), ' ', shape, " needs ", shape.size(), " elements of ",
                  element, " bytes, the file has ", data.size(), " bytes of data");
  if (wide) return narrowed(shape, data, what);
  Tensor result(shape, dtype);
  std::memcpy(result.bytes(), data.data(), data.size());
  return result;
}

void write_npy(const Path& path, const Tensor& tensor) { write_file_atomically(path, format_npy(tensor)); }

Tensor read_npy(const Path& path) { return parse_npy(read_file(path), path.string()); }

}  // namespace bitgrad::io
