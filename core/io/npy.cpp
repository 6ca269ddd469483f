#include <bitgrad/core/io/npy.hpp>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/detail/npy_header.hpp>

namespace bitgrad::io {
namespace {

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

/// Whole numbers of NumPy that are no DType, as int32.
template <class T>
Tensor as_int32(const NpyArray& array, std::string_view type, std::string_view what) {
  require_npy_data(array, type, sizeof(T), what);
  Tensor result(array.shape, DType::int32);
  for (Index i = 0; i < array.shape.size(); ++i) {
    const auto value =
        static_cast<T>(get<std::make_unsigned_t<T>>(array.data, static_cast<std::size_t>(i) * sizeof(T)));
    if (!std::in_range<std::int32_t>(value))
      fail<IoError>(what, ": element ", i, " of ", type, ' ', array.shape, " is ", value, ", which does not fit int32");
    result.data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
  }
  return result;
}

struct ConvertedType {
  std::string_view descr, name;
  Tensor (*read)(const NpyArray& array, std::string_view type, std::string_view what);
};
constexpr ConvertedType converted_types[] = {{"<i2", "int16", as_int32<std::int16_t>},
                                             {"<u2", "uint16", as_int32<std::uint16_t>},
                                             {"<u4", "uint32", as_int32<std::uint32_t>},
                                             {"<i8", "int64", as_int32<std::int64_t>},
                                             {"<u8", "uint64", as_int32<std::uint64_t>}};

DType dtype_of_name(const std::string& name, std::string_view what) {
  for (const auto& [dtype, known] : dtype_names)
    if (name == known) return dtype;
  fail<IoError>(what, ": dtype is '", name,
                "', expected '<f4', '<f8', '|i1', '|u1', '<i2', '<u2', '<i4', '<u4', '<i8' or '<u8'");
}

}  // namespace

Bytes format_npy(const Tensor& tensor) {
  if (!tensor.defined()) fail<ShapeError>("npy: the tensor is undefined");
  const auto* dtype = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                   [&](const DTypeName& known) { return known.dtype == tensor.dtype(); });
  BITGRAD_ASSERT(dtype != std::end(dtype_names));
  std::string header =
      message("{'descr': '", dtype->name, "', 'fortran_order': False, 'shape': ", tuple_of(tensor.shape()), ", }");
  const std::size_t length =
      (npy_prefix_bytes + header.size() + 1 + data_alignment - 1) / data_alignment * data_alignment;
  header.resize(length - npy_prefix_bytes - 1, ' ');
  header += '\n';

  Bytes out;
  out.reserve(length + tensor.byte_size());
  put_text(out, npy_magic);
  put<std::uint8_t>(out, 1);
  put<std::uint8_t>(out, 0);
  put<std::uint16_t>(out, static_cast<std::uint16_t>(header.size()));
  put_text(out, header);
  out.insert(out.end(), tensor.bytes(), tensor.bytes() + tensor.byte_size());
  return out;
}

Tensor parse_npy(std::span<const std::byte> bytes, std::string_view what) {
  const NpyArray array = parse_npy_header(bytes, what);
  for (const auto& [descr, name, read] : converted_types)
    if (array.descr == descr) return read(array, name, what);
  const DType dtype = dtype_of_name(array.descr, what);
  require_npy_data(array, name_of(dtype), size_of(dtype), what);
  Tensor result(array.shape, dtype);
  std::memcpy(result.bytes(), array.data.data(), array.data.size());
  return result;
}

void write_npy(const Path& path, const Tensor& tensor) { write_file_atomically(path, format_npy(tensor)); }

Tensor read_npy(const Path& path) { return parse_npy(read_file(path), path.string()); }

}  // namespace bitgrad::io
