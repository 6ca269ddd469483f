#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/gzip.hpp>
#include "support/bytes.hpp"
#include "support/gzip.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using namespace support;
using Catch::Contains;

namespace {
// Python: gzip.compress(b"hello hello hello\n", mtime=0)
const Bytes hello = from_hex("1f8b0800000000000203cb48cdc9c957c840905c003b7c8adf12000000");
// The deflate stream in it: without the ten bytes of the header and the eight of the trailer.
const std::span<const std::byte> hello_deflated = std::span(hello).subspan(10, hello.size() - 18);
}  // namespace

TEST_CASE("gzip: content of one member and of several") {
  CHECK(text_of(gunzip(hello, "f")) == "hello hello hello\n");
  Bytes twice = hello;
  twice.insert(twice.end(), hello.begin(), hello.end());
  CHECK(text_of(gunzip(twice, "f")) == "hello hello hello\nhello hello hello\n");
}

TEST_CASE("gzip: contents much larger than their compressed form and incompressible ones") {
  for (const std::size_t size : {0u, 1u, 65536u, 65537u, 3000000u}) {
    const Bytes zeros(size);
    CHECK(gunzip(gzipped(zeros), "zeros") == zeros);
    Bytes noise(size);
    std::uint32_t state = 1;
    for (std::byte& b : noise) b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    CHECK(gunzip(gzipped(noise), "noise") == noise);
  }
}

TEST_CASE("gzip: a file is read whether it is compressed or not") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "packed", hello);
  write_file_atomically(directory / "plain", "plain");
  write_file_atomically(directory / "empty", "");
  CHECK(text_of(read_gzip_or_plain(directory / "packed")) == "hello hello hello\n");
  CHECK(text_of(read_gzip_or_plain(directory / "plain")) == "plain");
  CHECK(read_gzip_or_plain(directory / "empty").empty());
  write_file_atomically(directory / "packed", std::span(hello).first(20));
  CHECK_THROWS_WITH(read_gzip_or_plain(directory / "packed"),
                    Contains((directory / "packed").string()) && Contains("truncated"));
}

TEST_CASE("gzip: damaged files are refused with their name and the reason") {
  for (std::size_t size = 2; size < hello.size(); ++size)
    CHECK_THROWS_WITH(gunzip(std::span(hello).first(size), "f.gz"),
                      "f.gz: truncated: the compressed data ends in the middle");
  CHECK_THROWS_WITH(gunzip({}, "f.gz"), "f.gz: no gzip file, it does not start with 1f 8b");
  Bytes longer = hello;
  longer.push_back(std::byte{0});
  CHECK_THROWS_WITH(gunzip(longer, "f.gz"), "f.gz: 1 bytes follow the end of the compressed data");
  for (const std::size_t at : {2u, 12u, 22u, 26u}) {  // method, data, checksum, length
    Bytes damaged = hello;
    damaged[at] ^= std::byte{0x55};
    CHECK_THROWS_WITH(gunzip(damaged, "f.gz"), Catch::StartsWith("f.gz: the compressed data is corrupt"));
  }
}

TEST_CASE("raw deflate streams have exactly the announced size") {
  CHECK(text_of(inflate_raw(hello_deflated, 18, "f")) == "hello hello hello\n");
  CHECK_THROWS_WITH(inflate_raw(hello_deflated, 17, "f"),
                    "f: the compressed data holds more than the 17 bytes that are announced");
  CHECK_THROWS_WITH(inflate_raw(hello_deflated, 3, "f"), Contains("more than the 3 bytes"));
  CHECK_THROWS_WITH(inflate_raw(hello_deflated, 19, "f"),
                    "f: the compressed data holds 18 of 19 announced bytes, and 0 bytes follow it");
  CHECK_THROWS_WITH(inflate_raw(std::span(hello).subspan(10, 12), 18, "f"),
                    Contains("18 of 18 announced bytes, and 1 bytes follow"));
  CHECK_THROWS_WITH(inflate_raw(hello_deflated.first(8), 18, "f"),
                    Contains("f: truncated: the compressed data ends after"));
  CHECK_THROWS_WITH(inflate_raw(hello_deflated, std::size_t{1} << 60, "f"),
                    Contains("cannot hold the 1152921504606846976"));
  const Bytes zeros(1'000'000);
  const Bytes packed = gzipped(zeros);  // the largest expansion that deflate can do
  CHECK(inflate_raw(std::span(packed).subspan(10, packed.size() - 18), zeros.size(), "f") == zeros);
}

TEST_CASE("the checksum of zip and gzip") {
  CHECK(io::crc32({}) == 0);
  CHECK(io::crc32(bytes_of("123456789")) == 0xcbf43926);  // the check value of CRC-32/ISO-HDLC
}
