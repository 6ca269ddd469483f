// FlatBuffers as far as writing needs them: https://flatbuffers.dev/internals/
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::flatbuffer {

/// A table under construction. Slots are the schema's field numbers, in any order; what is not set has the schema's
/// default.
class Table {
 public:
  template <class T>
  void scalar(int slot, T value) {
    static_assert(std::is_arithmetic_v<T>);
    Field field;
    append(field.data, value);
    fields_[slot] = std::move(field);
  }
  void text(int slot, std::string_view value);
  template <class T>
  void numbers(int slot, const std::vector<T>& values) {
    Field field;
    field.kind = Kind::vector;
    field.count = values.size();
    field.alignment = sizeof(T);
    for (const T value : values) append(field.data, value);
    fields_[slot] = std::move(field);
  }
  /// A vector of bytes whose first one lies at a multiple of `alignment` from the file's start.
  void raw(int slot, const io::Bytes& values, std::size_t alignment);
  void table(int slot, Table value);
  void tables(int slot, std::vector<Table> values);

 private:
  friend class Writer;
  enum class Kind { scalar, text, vector, table, tables };
  struct Field {
    Kind kind = Kind::scalar;
    io::Bytes data;             ///< of a scalar, a text without its end, or the elements of a vector
    std::size_t count = 0;      ///< elements of a vector
    std::size_t alignment = 1;  ///< of its first element
    std::vector<Table> tables;
  };

  template <class T>
  static void append(io::Bytes& bytes, T value) {
    static_assert(std::endian::native == std::endian::little,
                  "scalars are stored little-endian, as they lie in memory");
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), first, first + sizeof(T));
  }

  std::map<int, Field> fields_;
};

/// A file with the root table and its identifier of four characters. Everything lies behind what refers to it, so the
/// same tables give the same bytes.
io::Bytes serialize(const Table& root, std::string_view identifier);

}  // namespace bitgrad::flatbuffer
