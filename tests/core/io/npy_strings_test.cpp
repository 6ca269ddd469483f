#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include "support/bytes.hpp"
#include "support/npy.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using namespace support;
using Catch::Contains;
using namespace std::string_literals;
using Strings = std::vector<std::string>;

namespace {

constexpr Index most = 100;

// numpy.save(numpy.array(["cat", "H\u00fcndin", "\u732b", "\U0001f408"]))
const char* const numpy_file =
    "934e554d5059010076007b276465736372273a20273c5536272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065"
    "273a2028342c29"
    "2c207d202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "2020202020200a"
    "63000000610000007400000000000000000000000000000048000000fc0000006e00000064000000690000006e0000002b7300000000000000"
    "00000000000000000000000000000008f401000000000000000000000000000000000000000000";

void check_refused(const Bytes& bytes, const std::string& reason) {
  CHECK_THROWS_WITH(parse_npy_strings(bytes, "x.npy", most), Catch::StartsWith("x.npy: ") && Contains(reason));
  CHECK_THROWS_AS(parse_npy_strings(bytes, "x.npy", most), IoError);
}

}  // namespace

TEST_CASE("npy strings: NumPy's own bytes, as UTF-8") {
  CHECK(parse_npy_strings(from_hex(numpy_file), "f", 4) == Strings{"cat", "H\u00fcndin", "\u732b", "\U0001f408"});
}

TEST_CASE("npy strings: either byte order, bytes, and none") {
  const std::u32string characters = U"a\u007e\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff\0\0"s;
  const Strings expected{"a\u007e", "\u0080\u07ff", "\u0800\ud7ff", "\ue000\uffff", "\U00010000\U0010ffff", ""};
  CHECK(parse_npy_strings(npy_wide_strings('<', 2, characters), "f", most) == expected);
  CHECK(parse_npy_strings(npy_wide_strings('>', 2, characters), "f", most) == expected);
  CHECK(parse_npy_strings(npy_strings(expected), "f", most) == expected);
  CHECK(parse_npy_strings(npy_file("<U3", "(0,)", ""), "f", most).empty());
}

TEST_CASE("npy strings: every truncation and every appended byte is refused") {
  for (const Bytes& whole : {from_hex(numpy_file), npy_strings({"cat", "dog"})}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK_THROWS_AS(parse_npy_strings(std::span(whole).first(size), "part", most), IoError);
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    CHECK_THROWS_AS(parse_npy_strings(longer, "longer", most), IoError);
  }
}

TEST_CASE("npy strings: what is no text is refused with the string and the reason") {
  check_refused(npy_file("<U1", "(2,)", {"a\0\0\0\0\xD8\0\0", 8}),
                "string 1: character 0 is 55296, expected a code point of Unicode");
  check_refused(npy_file("<U2", "(1,)", {"a\0\0\0\xFF\xDF\0\0", 8}), "string 0: character 1 is 57343");
  check_refused(npy_file("<U1", "(1,)", {"\0\0\x11\0", 4}), "string 0: character 0 is 1114112, expected a code point");
  check_refused(npy_file(">U1", "(1,)", {"a\0\0\0", 4}), "string 0: character 0 is 1627389952");
  check_refused(npy_file("|S3", "(1,)", {"a\0b", 3}), "string 0: a NUL before other characters");
  check_refused(npy_file("<U2", "(1,)", {"\0\0\0\0a\0\0\0", 8}), "string 0: a NUL before other characters");
  check_refused(npy_file("|S3", "(2,)", {"abca\x1b[", 6}), "string 1: byte 1 is the control character 27");
  for (const char* text : {"\x80\x80\x80\x80", "\xC0\xAFxx", "\xC3xxx", "ab\xC3\0", "\xE0\x80\x80x", "\xED\xA0\x80x",
                           "\xF4\x90\x80\x80", "\xF8\x88\x80\x80", "\xFFxxx"})
    check_refused(npy_file("|S4", "(1,)", {text, 4}), "string 0: not UTF-8");
}

TEST_CASE("npy strings: hostile shapes and lengths are refused before anything is read") {
  for (const char* descr : {"<i4", "|O", "<U", "<U0", "|S0", "<U-1", "<U1x", "|U1", "=U1", "U1", "<S1", "|S 1",
                            "<U18446744073709551616", "<U4611686018427387904", ""})
    check_refused(npy_file(descr, "(1,)", "abcd"), std::string("dtype is '") + descr + "', expected strings");
  check_refused(npy_file("<U4611686018427387903", "(1,)", "abcd"),
                "'<U4611686018427387903' (1) needs 1 elements of 18446744073709551612 bytes, the file has 4 bytes");
  check_refused(npy_file("<U4611686018427387903", "(2,)", "abcd"), "needs 2 elements of");
  check_refused(npy_file("|S9223372036854775808", "(2,)", ""), "needs 2 elements of 9223372036854775808 bytes");
  check_refused(npy_file("|S1", "(101,)", std::string(101, 'a')), "101 strings, expected at most 100");
  check_refused(npy_file("|S1", "(9223372036854775807,)", "a"), "9223372036854775807 strings, expected at most 100");
  check_refused(npy_file("<U1", "()", "abcd"), "strings '<U1' (), expected one axis");
  check_refused(npy_file("|S1", "(2, 2)", "abcd"), "strings '|S1' (2, 2), expected one axis");
  check_refused(npy_file("|S2", "(2,)", "abc"), "'|S2' (2) needs 2 elements of 2 bytes, the file has 3 bytes of data");
}
