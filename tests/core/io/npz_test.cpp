#include <catch2/catch.hpp>

#include <cstdint>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>
#include "support/bytes.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using namespace support;
using Catch::Contains;

namespace {

NamedTensors sample() {
  return {{"conv1.kernel", Tensor::from({2, 2}, {1, 2, 3, 4})},
          {"a/\u00e4", Tensor::from({3}, std::vector<std::int8_t>{-1, 2, 3})},
          {"empty", Tensor({0}, DType::int32)}};
}

// numpy.savez_compressed(a=arange(12, float32).reshape(3, 4), **{"x/b": array([-1, 2, 3], int8)})
const char* const numpy_compressed =
    "504b03042d0000000800000021002d6f2226ffffffffffffffff05001400612e6e707901001000b00000000000000066000000000000009bec"
    "17ea1b10c9c850"
    "c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a0a269a3a0ab50a"
    "64032e063068b0"
    "07120e4004c40d40bc00880f00f1032066706460100062052036700400504b03042d00000008000000210014cf4dd1ffffffffffffffff0700"
    "1400782f622e6e"
    "707901001000830000000000000047000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e9369a8aea3a09e965f54529498"
    "179f5f94920a12"
    "774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aeff4ccc00504b01022d032d0000000800000021002d6f222666000000b0000000"
    "05000000000000"
    "0000000000800100000000612e6e7079504b01022d032d00000008000000210014cf4dd1470000008300000007000000000000000000000080"
    "019d000000782f"
    "622e6e7079504b05060000000002000200680000001d0100000000";

// numpy.savez(s=float64(0.5))
const char* const numpy_stored =
    "504b03042d00000000000000210070ee9269ffffffffffffffff05001400732e6e70790100100088000000000000008800000000000000934e"
    "554d5059010076"
    "007b276465736372273a20273c6638272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028292c207d20"
    "20202020202020"
    "2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020200a0000"
    "00000000e03f50"
    "4b01022d032d00000000000000210070ee92698800000088000000050000000000000000000000800100000000732e6e7079504b0506000000"
    "00010001003300"
    "0000bf0000000000";

}  // namespace

TEST_CASE("npz: archives of NumPy, stored and compressed") {
  std::vector<float> ramp(12);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  CHECK(identical(parse_npz(from_hex(numpy_compressed), "f"),
                  {{"a", Tensor::from({3, 4}, ramp)}, {"x/b", Tensor::from({3}, std::vector<std::int8_t>{-1, 2, 3})}}));
  CHECK(identical(parse_npz(from_hex(numpy_stored), "f"), {{"s", Tensor::scalar(0.5, DType::float64)}}));
}

TEST_CASE("npz: a round trip, always the same bytes") {
  const TemporaryDirectory directory;
  write_npz(directory / "f.npz", sample());
  CHECK(identical(read_npz(directory / "f.npz"), sample()));
  CHECK(format_npz(sample()) == read_file(directory / "f.npz"));
  CHECK(parse_npz(format_npz({}), "f").empty());
}

TEST_CASE("npz: entries by the names of their arrays, whatever these hold") {
  const std::vector<ZipEntry> entries =
      parse_npz_entries(format_zip({{"a/b.npy", bytes_of("anything")}, {".npy.npy", {}}}), "f");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].name == "a/b");
  CHECK(entries[0].content == bytes_of("anything"));
  CHECK(entries[1].name == ".npy");
  for (const char* name : {"a", ".npy", "a.npy.txt"})
    CHECK_THROWS_WITH(parse_npz_entries(format_zip({{name, {}}}), "f"),
                      message("f: entry \"", name, "\": no array, expected a name that ends with .npy"));
  CHECK(npz_entry("f", "a") == "f: entry \"a.npy\"");
}

TEST_CASE("zip: the exact bytes of an archive") {
  // Python's zipfile makes the same of ZipInfo("a", (1980, 1, 1, 0, 0, 0)) with external_attr 0o100644 << 16.
  CHECK(format_zip({{"a", bytes_of("hi")}}) ==
        from_hex("504b030414000000000000002100ac2a93d8020000000200000001000000616869"
                 "504b0102140314000000000000002100ac2a93d80200000002000000010000000000000000000000a4810000000061"
                 "504b050600000000010001002f000000210000000000"));
}

TEST_CASE("npz: every truncation and appended bytes are refused") {
  for (const Bytes& whole : {from_hex(numpy_compressed), format_npz(sample())}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK_THROWS_AS(parse_npz(std::span(whole).first(size), "part"), IoError);
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    CHECK_THROWS_WITH(parse_npz(longer, "f"), "f: not a zip archive, or truncated: its end record is missing");
  }
}

TEST_CASE("npz: a changed byte is noticed, or is one that means nothing") {
  // Dates, versions and attributes are not looked at; everything else is.
  for (const Bytes& whole : {from_hex(numpy_compressed), format_npz(sample())}) {
    const NamedTensors expected = parse_npz(whole, "whole");
    std::size_t unnoticed = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      Bytes damaged = whole;
      damaged[at] ^= std::byte{0x21};
      try {
        const bool same = identical(parse_npz(damaged, "damaged"), expected);
        CHECK(same);
        ++unnoticed;
      } catch (const IoError&) {
      }
    }
    // Per entry: 6 bytes in the local header (version, time, date), 16 in the central one; NumPy's wide sizes are
    // checked.
    CHECK(unnoticed <= expected.size() * (6 + 18));
  }
}

TEST_CASE("npz: what is wrong is said with the names of file and entry") {
  const Bytes good = format_npz({{"ab", Tensor::from({2}, {1, 2})}, {"cd", Tensor::from({2}, {3, 4})}});
  const auto refused = [](const Bytes& bytes, const std::string& reason) {
    CHECK_THROWS_WITH(parse_npz(bytes, "x.npz"), Catch::StartsWith("x.npz: ") && Contains(reason));
  };
  REQUIRE_NOTHROW(parse_npz(good, "good"));
  refused(bytes_of("something else altogether"), "not a zip archive");
  refused(patched(good, "ab.npy", "ac.npy"), "entry \"ab.npy\": its local header has another name");
  refused(patched(patched(good, "cd.npy", "ab.npy"), "cd.npy", "ab.npy"), "two entries are named \"ab.npy\"");
  refused(patched(patched(good, "ab.npy", "ab.txt"), "ab.npy", "ab.txt"), "entry \"ab.txt\": no array");
  refused(patched(patched(good, "ab.npy", "ab/npy"), "ab.npy", "ab/npy"), "expected a name that ends with .npy");
  refused(patched(good, "\x80\x3f", "\x80\x3e"), "entry \"ab.npy\": its checksum is wrong");
  refused(format_zip({{"a.npy", bytes_of("junk")}}), "entry \"a.npy\": not an npy file");
  refused(format_zip({{".npy", {}}}), "entry \".npy\": no array");

  const auto central = [&](std::size_t field, unsigned value) {  // of the first entry
    Bytes bytes = good;
    bytes[text_of(good).find("PK\1\2") + field] = static_cast<std::byte>(value);
    return bytes;
  };
  refused(central(8, 1), "flags are 1: encrypted");
  refused(central(10, 12), "compression method is 12, expected 0 (stored) or 8 (deflated)");
  refused(central(10, 8), "its local header and the central directory differ");
  refused(central(16, 0), "its local header and the central directory differ");
  refused(central(20, 1), "stored as 1 bytes, expected its size 136");
  refused(central(43, 3), "its local header is missing or damaged");

  Bytes longer = good;  // both headers of the last entry agree on a size that the file does not have
  const std::size_t local = text_of(good).rfind("PK\3\4"), record = text_of(good).rfind("PK\1\2");
  for (const std::size_t at : {local + 18, local + 22, record + 20, record + 24}) longer[at + 2] = std::byte{1};
  refused(longer, "entry \"cd.npy\": it reaches into the central directory");

  const std::size_t end = good.size() - 22;
  const auto at_end = [&](std::size_t field, unsigned value) {
    Bytes bytes = good;
    bytes[end + field] = static_cast<std::byte>(value);
    return bytes;
  };
  refused(at_end(4, 1), "split over several files");
  refused(at_end(10, 3), "split over several files");
  refused(at_end(12, 0), "the central directory is said to be 0 bytes");
  refused(at_end(19, 0x7f), "the central directory is said to be");
  Bytes fewer = at_end(8, 1);
  fewer[end + 10] = std::byte{1};
  refused(fewer, "more than its 1 entries");
  Bytes more = at_end(8, 3);
  more[end + 10] = std::byte{3};
  refused(more, "entry 2 of the central directory is missing or damaged");
  Bytes wide = at_end(10, 0xff);
  wide[end + 11] = std::byte{0xff};
  refused(wide, "a zip64 archive");
  CHECK_THROWS_WITH(read_npz("/nowhere/x.npz"), Contains("cannot open \"/nowhere/x.npz\""));
}

TEST_CASE("zip: overlapping entries are refused before they are unpacked") {
  // The content of "a" is itself a local header with data; the second entry of the directory is made to point at it.
  Bytes inner = format_zip({{"b", bytes_of("1")}});
  inner.resize(30 + 1 + 1);
  Bytes nested = format_zip({{"a", inner}, {"b", bytes_of("1")}});
  const std::size_t last = text_of(nested).rfind("PK\1\2");
  REQUIRE(parse_zip(nested, "f").size() == 2);
  nested[last + 42] = std::byte{30 + 1};
  CHECK_THROWS_WITH(parse_zip(nested, "f"), "f: two entries of the zip archive overlap");
}

TEST_CASE("zip: comments, descriptors and names") {
  Bytes commented = format_zip({{"a", bytes_of("1")}});
  commented[commented.size() - 2] = std::byte{5};
  for (const char c : {'P', 'K', '\5', '\6', '!'}) commented.push_back(static_cast<std::byte>(c));
  CHECK(parse_zip(commented, "f").at(0).name == "a");

  Bytes streamed = format_zip({{"a", bytes_of("1")}});
  for (std::size_t i = 14; i < 26; ++i) streamed[i] = std::byte{0};  // sizes and checksum follow the data
  CHECK_THROWS_WITH(parse_zip(streamed, "f"), Contains("differ"));
  streamed[6] = streamed[32 + 8] = std::byte{1 << 3};
  CHECK(text_of(parse_zip(streamed, "f").at(0).content) == "1");

  // Bit 11 of the flags says that the name is UTF-8.
  CHECK(format_zip({{"\u00e4", {}}}).at(7) == std::byte{0x08});
  CHECK(format_zip({{"a", {}}}).at(7) == std::byte{0});

  CHECK_THROWS_WITH(format_zip({{"a", {}}, {"a", {}}}), "zip: two entries are named \"a\"");
  CHECK_THROWS_WITH(format_zip({{"", {}}}), Contains("0 bytes, expected 1 to 65535"));
  CHECK_THROWS_WITH(format_zip({{std::string(65536, 'x'), {}}}), Contains("65536 bytes"));
}
