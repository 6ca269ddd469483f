// Records one behind the other in a file, each with checksums: TensorFlow's TFRecord,
// https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::io {

/// CRC-32C of bytes: Castagnoli's polynomial, reflected 0x82f63b78, as in RFC 3720, section 12.1.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The checksum as records store it: rotated right by 15 bits, plus 0xa282ead8, since a CRC over data that holds its
/// own CRC says little.
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

/// Length (uint64), its masked checksum (uint32), `data`, its masked checksum; little-endian.
Bytes tf_record(std::span<const std::byte> data);

/// The records of a file up to its end or to the first that is cut short or has a wrong checksum, as whoever follows a
/// file that grows reads it.
struct TfRecords {
  std::vector<std::span<const std::byte>> data;  ///< of each record, within the bytes that were read
  std::vector<std::size_t> ends;                 ///< where each record ends, in bytes from the file's start
};
TfRecords read_tf_records(std::span<const std::byte> file);

}  // namespace bitgrad::io
