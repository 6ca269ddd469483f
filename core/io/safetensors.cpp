#include <bitgrad/core/io/safetensors.hpp>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/detail/strict_json.hpp>

namespace bitgrad::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view metadata_key = "__metadata__";
constexpr std::size_t length_bytes = 8;
constexpr std::size_t header_alignment = 8;
constexpr int max_depth = 3;                       // header, tensor, array
constexpr std::uint64_t max_header = 100'000'000;  // the limit of the reference implementation

struct DTypeName {
  DType dtype;
  std::string_view name;
};
constexpr DTypeName dtype_names[] = {
    {DType::float32, "F32"}, {DType::float64, "F64"}, {DType::int8, "I8"}, {DType::uint8, "U8"}, {DType::int32, "I32"}};

/// Where a tensor lies, relative to the end of the header.
struct Range {
  std::size_t begin, end;
};

std::vector<Range> layout(const NamedTensors& tensors) {
  std::vector<const NamedTensors::Entry*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype()) > size_of(b->second.dtype());
  });
  std::vector<Range> ranges(order.size());
  std::size_t end = 0;
  for (const auto* entry : order) {
    const auto index = static_cast<std::size_t>(entry - &*tensors.begin());
    ranges[index] = {end, end + entry->second.byte_size()};
    end = ranges[index].end;
  }
  return ranges;
}

std::string format_header(const NamedTensors& tensors, const std::vector<Range>& ranges, const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(metadata_key)] = metadata;
  auto range = ranges.begin();
  for (const auto& [name, tensor] : tensors) {
    if (name == metadata_key) fail<ValueError>("safetensors: a tensor cannot be named \"", name, '"');
    const auto* dtype =
        std::find_if(std::begin(dtype_names), std::end(dtype_names),
                     [wanted = tensor.dtype()](const DTypeName& known) { return known.dtype == wanted; });
    BITGRAD_ASSERT(dtype != std::end(dtype_names));
    const auto extents = tensor.shape().extents();
    header[name] = {{"dtype", dtype->name},
                    {"shape", std::vector<Index>(extents.begin(), extents.end())},
                    {"data_offsets", {range->begin, range->end}}};
    ++range;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    fail<ValueError>("safetensors: a name or metadata string is no UTF-8: ", error.what());
  }
  text.resize((text.size() + header_alignment - 1) / header_alignment * header_alignment, ' ');
  return text;
}

/// A value as it stands in messages, shortened.
std::string shown(const Json& value) {
  constexpr std::size_t longest = 80;
  const std::string text = value.dump();
  return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

Json parse_header(std::string_view text, std::string_view what) {
  if (!text.starts_with('{')) fail<IoError>(what, ": not a safetensors file, the header does not start with '{'");
  return parse_strict_json<Json>(text, message(what, ": the header"), max_depth);
}

/// A tensor of the header, checked but without its elements.
struct Description {
  std::string name;
  DType dtype;
  Shape shape;
  Range range;
};

/// Places a message: `model.safetensors: tensor "conv1.kernel": `.
struct Where {
  std::string_view what;
  const std::string& name;
  friend std::ostream& operator<<(std::ostream& out, const Where& where) {
    return out << where.what << ": tensor \"" << where.name << "\": ";
  }
};

DType parse_dtype(const Where& where, const Json& value) {
  for (const auto& [dtype, name] : dtype_names)
    if (value.is_string() && value.get_ref<const std::string&>() == name) return dtype;
  fail<IoError>(where, "dtype is ", shown(value), ", expected F32, F64, I8, U8 or I32");
}

Shape parse_shape(const Where& where, const Json& value) {
  const bool good = value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& extent) {
                      return extent.is_number_unsigned() && extent.get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
                    });
  if (!good) fail<IoError>(where, "shape is ", shown(value), ", expected an array of non-negative integers");
  try {
    return Shape(value.get<std::vector<Index>>());
  } catch (const ShapeError& error) {
    fail<IoError>(where, error.what());
  }
}

Range parse_range(const Where& where, const Json& value, std::size_t data_size) {
  const bool good =
      value.is_array() && value.size() == 2 && value[0].is_number_unsigned() && value[1].is_number_unsigned();
  if (!good) fail<IoError>(where, "data_offsets are ", shown(value), ", expected [begin, end]");
  const auto begin = value[0].get<std::uint64_t>(), end = value[1].get<std::uint64_t>();
  if (begin > end || end > data_size)
    fail<IoError>(where, "data_offsets are ", shown(value), ", expected a range inside the ", data_size,
                  " bytes of data");
  return {begin, end};
}

Description parse_description(std::string_view what, const std::string& name, const Json& value,
                              std::size_t data_size) {
  const Where where{what, name};
  if (name.empty()) fail<IoError>(where, "the name is empty");
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets"))
    fail<IoError>(where, "expected an object with dtype, shape and data_offsets, found ", shown(value));
  Description result{name, parse_dtype(where, value["dtype"]), parse_shape(where, value["shape"]),
                     parse_range(where, value["data_offsets"], data_size)};
  std::size_t needed = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(result.shape.size()), size_of(result.dtype), &needed) ||
      needed != result.range.end - result.range.begin)
    fail<IoError>(where, result.dtype, ' ', result.shape, " does not fit data_offsets ", shown(value["data_offsets"]));
  return result;
}

/// The tensors must cover the data exactly.
void check_coverage(std::string_view what, std::vector<Description> descriptions, std::size_t data_size) {
  std::sort(descriptions.begin(), descriptions.end(), [](const Description& a, const Description& b) {
    return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
  });
  std::size_t end = 0;
  for (const auto& [name, dtype, shape, range] : descriptions) {
    if (range.begin != end)
      fail<IoError>(Where{what, name}, "its data begins at ", range.begin, ", expected ", end,
                    ": tensors must neither ", "overlap nor leave a hole");
    end = range.end;
  }
  if (end != data_size) fail<IoError>(what, ": the tensors end at byte ", end, " of the data, which has ", data_size);
}

Metadata parse_metadata(std::string_view what, const Json& value) {
  if (!value.is_object())
    fail<IoError>(what, ": ", metadata_key, " is ", shown(value), ", expected an object of strings");
  Metadata result;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      fail<IoError>(what, ": ", metadata_key, " \"", key, "\" is ", shown(text), ", expected a string");
    result[key] = text.get<std::string>();
  }
  return result;
}

}  // namespace

Bytes format_safetensors(const NamedTensors& tensors, const Metadata& metadata) {
  const std::vector<Range> ranges = layout(tensors);
  const std::string header = format_header(tensors, ranges, metadata);
  Bytes out;
  put<std::uint64_t>(out, header.size());
  put_text(out, header);
  const std::size_t start = out.size();
  std::size_t total = 0;
  for (const auto& [name, tensor] : tensors) total += tensor.byte_size();
  out.resize(start + total);
  auto range = ranges.begin();
  for (const auto& [name, tensor] : tensors)
    std::memcpy(out.data() + start + (range++)->begin, tensor.bytes(), tensor.byte_size());
  return out;
}

SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.size() < length_bytes)
    fail<IoError>(what, ": not a safetensors file, it has ", bytes.size(), " bytes, expected at least ", length_bytes);
  const auto header_size = get<std::uint64_t>(bytes, 0);
  if (header_size > max_header || header_size > bytes.size() - length_bytes)
    fail<IoError>(what, ": the header is said to have ", header_size, " bytes, ", bytes.size() - length_bytes,
                  " follow (truncated, or not a safetensors file)");
  const Json header = parse_header(text_of(bytes.subspan(length_bytes, header_size)), what);
  const auto data = bytes.subspan(length_bytes + header_size);

  SafeTensors result;
  std::vector<Description> descriptions;
  for (const auto& [name, value] : header.items()) {
    if (name == metadata_key)
      result.metadata = parse_metadata(what, value);
    else
      descriptions.push_back(parse_description(what, name, value, data.size()));
  }
  check_coverage(what, descriptions, data.size());
  for (const auto& [name, dtype, shape, range] : descriptions) {
    Tensor tensor(shape, dtype);
    std::memcpy(tensor.bytes(), data.data() + range.begin, range.end - range.begin);
    result.tensors.add(name, std::move(tensor));
  }
  return result;
}

void write_safetensors(const Path& path, const NamedTensors& tensors, const Metadata& metadata) {
  write_file_atomically(path, format_safetensors(tensors, metadata));
}

SafeTensors read_safetensors(const Path& path) { return parse_safetensors(read_file(path), path.string()); }

}  // namespace bitgrad::io
