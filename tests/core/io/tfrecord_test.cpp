// Records with checksums, against published values.
#include <bitgrad/core/io/tfrecord.hpp>

#include <catch2/catch.hpp>
#include <numeric>
#include <string_view>

#include <bitgrad/core/io/detail/protobuf.hpp>

using namespace bitgrad;
using io::Bytes;

namespace {

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

}  // namespace

TEST_CASE("CRC-32C has the values of RFC 3720, appendix B.4") {
  CHECK(io::crc32c(Bytes(32, std::byte{0})) == 0x8a9136aaU);
  CHECK(io::crc32c(Bytes(32, std::byte{0xff})) == 0x62a8ab43U);
  Bytes rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising.push_back(static_cast<std::byte>(i));
    falling.push_back(static_cast<std::byte>(31 - i));
  }
  CHECK(io::crc32c(rising) == 0x46dd794eU);
  CHECK(io::crc32c(falling) == 0x113fdb5cU);
  CHECK(io::crc32c(bytes_of("123456789")) == 0xe3069283U);
  CHECK(io::crc32c({}) == 0);
  CHECK(io::masked_crc32c({}) == 0xa282ead8U);
  // (0xe3069283 rotated right by 15 bits) + 0xa282ead8
  CHECK(io::masked_crc32c(bytes_of("123456789")) == 0x2507c60dU + 0xa282ead8U);
}

TEST_CASE("a record is length, checksum, data, checksum, and is read back") {
  const Bytes data = bytes_of("event");
  const Bytes record = io::tf_record(data);
  REQUIRE(record.size() == 8 + 4 + 5 + 4);
  CHECK(Bytes(record.begin(), record.begin() + 8) == bytes_of({5, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(Bytes(record.begin() + 12, record.begin() + 17) == data);
  Bytes file = record;
  const Bytes second = io::tf_record({}), third = io::tf_record(bytes_of("x"));
  file.insert(file.end(), second.begin(), second.end());
  file.insert(file.end(), third.begin(), third.end());
  const io::TfRecords records = io::read_tf_records(file);
  REQUIRE(records.data.size() == 3);
  CHECK(Bytes(records.data[0].begin(), records.data[0].end()) == data);
  CHECK(records.data[1].empty());
  CHECK(records.ends == std::vector<std::size_t>{21, 37, 54});
  // Up to the first that is cut short or changed, wherever that is.
  for (std::size_t size = 0; size < file.size(); ++size) {
    INFO(size);
    CHECK(io::read_tf_records(std::span(file).first(size)).ends.size() == (size >= 37 ? 2U : size >= 21 ? 1U : 0U));
  }
  for (std::size_t at = 0; at < file.size(); ++at) {
    INFO(at);
    Bytes changed = file;
    changed[at] ^= std::byte{0x10};
    CHECK(io::read_tf_records(changed).ends.size() == (at >= 37 ? 2U : at >= 21 ? 1U : 0U));
  }
}

TEST_CASE("fields of protocol buffers have their wire types") {
  protobuf::Message inner, message;
  inner.text(1, "ab");
  message.integer(2, 300);
  message.real(3, 1.0F);
  message.real64(1, 1.0);
  message.message(5, inner);
  CHECK(message.bytes() == bytes_of({0x10, 0xac, 0x02,                                 //
                                     0x1d, 0,    0,    0x80, 0x3f,                     //
                                     0x09, 0,    0,    0,    0,    0,  0, 0xf0, 0x3f,  //
                                     0x2a, 4,    0x0a, 2,    'a',  'b'}));
}
