// Protocol buffers as far as writing needs them: https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <bit>
#include <concepts>
#include <string_view>

#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::protobuf {

/// A message under construction: fields are written in the order of the calls.
class Message {
 public:
  void integer(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(int field, float value) {
    tag(field, 5);
    io::put<std::uint32_t>(bytes_, std::bit_cast<std::uint32_t>(value));
  }
  void real64(int field, double value) {
    tag(field, 1);
    io::put<std::uint64_t>(bytes_, std::bit_cast<std::uint64_t>(value));
  }
  void text(int field, std::string_view value) { raw(field, std::as_bytes(std::span(value))); }
  void raw(int field, std::span<const std::byte> value) {
    tag(field, 2);
    varint(value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
  }
  void message(int field, const Message& value) { raw(field, value.bytes_); }

  const io::Bytes& bytes() const { return bytes_; }

 private:
  void tag(int field, int wire_type) {
    varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire_type));
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<std::byte>(value | 0x80));
    bytes_.push_back(static_cast<std::byte>(value));
  }

  io::Bytes bytes_;
};

}  // namespace bitgrad::protobuf
