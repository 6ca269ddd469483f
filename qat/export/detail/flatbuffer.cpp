#include <bitgrad/qat/export/detail/flatbuffer.hpp>

#include <algorithm>
#include <cstring>

#include <bitgrad/core/error.hpp>

namespace bitgrad::flatbuffer {

void Table::text(int slot, std::string_view value) {
  const auto bytes = std::as_bytes(std::span(value));
  Field field;
  field.kind = Kind::text;
  field.data.assign(bytes.begin(), bytes.end());
  fields_[slot] = std::move(field);
}

void Table::raw(int slot, const io::Bytes& values, std::size_t alignment) {
  Field field;
  field.kind = Kind::vector;
  field.data = values;
  field.count = values.size();
  field.alignment = alignment;
  fields_[slot] = std::move(field);
}

void Table::table(int slot, Table value) {
  Field field;
  field.kind = Kind::table;
  field.tables.push_back(std::move(value));
  fields_[slot] = std::move(field);
}

void Table::tables(int slot, std::vector<Table> values) {
  Field field;
  field.kind = Kind::tables;
  field.tables = std::move(values);
  fields_[slot] = std::move(field);
}

class Writer {
 public:
  io::Bytes run(const Table& root, std::string_view identifier) {
    BITGRAD_ASSERT(identifier.size() == 4);
    bytes_.resize(8);
    std::memcpy(bytes_.data() + 4, identifier.data(), 4);
    refer(0, write(root));
    return std::move(bytes_);
  }

 private:
  using Field = Table::Field;
  using Kind = Table::Kind;

  static std::size_t width(const Field& field) { return field.kind == Kind::scalar ? field.data.size() : 4; }

  template <class T>
  void set(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }
  /// A reference counts from where it stands.
  void refer(std::size_t at, std::size_t target) { set(at, static_cast<std::uint32_t>(target - at)); }
  /// Grows the file such that the byte `ahead` behind its end lies at a multiple of the alignment.
  void align(std::size_t alignment, std::size_t ahead) {
    while ((bytes_.size() + ahead) % alignment != 0) bytes_.push_back(std::byte{0});
  }
  std::size_t grow(std::size_t count) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + count);
    return at;
  }

  /// The table's vtable, the table, and behind them everything that it refers to. Returns where the table begins.
  std::size_t write(const Table& table) {
    const std::size_t slots = table.fields_.empty() ? 0 : static_cast<std::size_t>(table.fields_.rbegin()->first) + 1;
    std::map<int, std::size_t> offsets;
    std::size_t size = 4;  // the reference to the vtable
    for (const std::size_t each : {8u, 4u, 2u, 1u})
      for (const auto& [slot, field] : table.fields_) {
        if (width(field) != each) continue;
        size = (size + each - 1) / each * each;
        offsets[slot] = size;
        size += each;
      }
    const std::size_t vtable_size = 4 + 2 * slots;
    align(8, vtable_size);
    const std::size_t vtable = grow(vtable_size), start = grow(size);
    set(vtable, static_cast<std::uint16_t>(vtable_size));
    set(vtable + 2, static_cast<std::uint16_t>(size));
    set(start, static_cast<std::int32_t>(vtable_size));
    for (const auto& [slot, offset] : offsets)
      set(vtable + 4 + 2 * static_cast<std::size_t>(slot), static_cast<std::uint16_t>(offset));
    for (const auto& [slot, field] : table.fields_) write(field, start + offsets[slot]);
    return start;
  }

  void write(const Field& field, std::size_t at) {
    switch (field.kind) {
      case Kind::scalar: std::ranges::copy(field.data, bytes_.begin() + static_cast<std::ptrdiff_t>(at)); break;
      case Kind::text: {
        refer(at, write_vector(field.data, field.data.size(), 1));
        bytes_.push_back(std::byte{0});
        break;
      }
      case Kind::vector: refer(at, write_vector(field.data, field.count, field.alignment)); break;
      case Kind::table: refer(at, write(field.tables.front())); break;
      case Kind::tables: {
        const std::size_t count = field.tables.size();
        const std::size_t first = write_vector(io::Bytes(4 * count), count, 4);
        refer(at, first);
        for (std::size_t i = 0; i < count; ++i) refer(first + 4 + 4 * i, write(field.tables[i]));
        break;
      }
    }
  }

  /// The number of elements and the elements. Returns where the number stands.
  std::size_t write_vector(const io::Bytes& data, std::size_t count, std::size_t alignment) {
    align(std::max<std::size_t>(alignment, 4), 4);
    const std::size_t at = grow(4);
    set(at, static_cast<std::uint32_t>(count));
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return at;
  }

  io::Bytes bytes_;
};

io::Bytes serialize(const Table& root, std::string_view identifier) { return Writer().run(root, identifier); }

}  // namespace bitgrad::flatbuffer
