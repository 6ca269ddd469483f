#include <bitgrad/core/io/tfrecord.hpp>

#include <array>

#include <bitgrad/core/io/detail/bytes.hpp>

namespace bitgrad::io {
namespace {

constexpr std::size_t checksum_size = sizeof(std::uint32_t), header_size = sizeof(std::uint64_t) + checksum_size;

/// What a byte does to the checksum.
constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    table[byte] = crc;
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  static constexpr auto table = crc_table();
  std::uint32_t crc = 0xffffffffU;
  for (const std::byte byte : bytes) crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xffU];
  return ~crc;
}

std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

Bytes tf_record(std::span<const std::byte> data) {
  Bytes record;
  put<std::uint64_t>(record, data.size());
  put<std::uint32_t>(record, masked_crc32c(record));
  record.insert(record.end(), data.begin(), data.end());
  put<std::uint32_t>(record, masked_crc32c(data));
  return record;
}

TfRecords read_tf_records(std::span<const std::byte> file) {
  TfRecords records;
  std::size_t at = 0;
  while (file.size() - at >= header_size + checksum_size) {
    const auto length = get<std::uint64_t>(file, at);
    if (get<std::uint32_t>(file, at + sizeof length) != masked_crc32c(file.subspan(at, sizeof length))) break;
    if (length > file.size() - at - header_size - checksum_size) break;
    const auto data = file.subspan(at + header_size, static_cast<std::size_t>(length));
    if (get<std::uint32_t>(file, at + header_size + data.size()) != masked_crc32c(data)) break;
    at += header_size + data.size() + checksum_size;
    records.data.push_back(data);
    records.ends.push_back(at);
  }
  return records;
}

}  // namespace bitgrad::io
