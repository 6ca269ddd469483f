#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include "support/bytes.hpp"
#include "support/npy.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using namespace support;
using Catch::Contains;

namespace {

/// A version 1.0 file with this header (a newline is added) and so many bytes of data.
Bytes file(std::string header, std::size_t data, std::string version = std::string("\1\0", 2)) {
  header += '\n';
  return bytes_of("\x93NUMPY" + version + static_cast<char>(header.size() & 255) +
                  static_cast<char>(header.size() >> 8) + header + std::string(data, '\0'));
}

// numpy.save(numpy.array([[1, 2], [3, -4]], numpy.int32))
const char* const numpy_file =
    "934e554d5059010076007b276465736372273a20273c6934272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065"
    "273a2028322c20"
    "32292c207d20202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "2020202020200a"
    "010000000200000003000000fcffffff";

}  // namespace

TEST_CASE("npy: NumPy's own bytes, both ways") {
  const Tensor tensor = Tensor::from({2, 2}, std::vector<std::int32_t>{1, 2, 3, -4});
  CHECK(identical(parse_npy(from_hex(numpy_file), "numpy"), tensor));
  CHECK(format_npy(tensor) == from_hex(numpy_file));
}

TEST_CASE("npy: a round trip keeps every dtype, rank and bit") {
  const TemporaryDirectory directory;
  const std::vector<Tensor> tensors{Tensor::from({3}, {1.5f, -0.0f, std::numeric_limits<float>::quiet_NaN()}),
                                    Tensor::from({2, 1}, std::vector<double>{0.1, -1e300}),
                                    Tensor::from({1, 2, 1}, std::vector<std::int8_t>{-128, 127}),
                                    Tensor::from({2}, std::vector<std::uint8_t>{0, 255}),
                                    Tensor::from({2}, std::vector<std::int32_t>{-2147483647 - 1, 7}),
                                    Tensor::scalar(3),
                                    Tensor({0, 5}),
                                    Tensor::full({1, 2, 1, 2, 1, 2}, 7)};
  for (const Tensor& tensor : tensors) {
    write_npy(directory / "x.npy", tensor);
    CHECK(identical(read_npy(directory / "x.npy"), tensor));
    CHECK((format_npy(tensor).size() - tensor.byte_size()) % 64 == 0);
  }
  CHECK_THROWS_WITH(format_npy(Tensor()), "npy: the tensor is undefined");
}

TEST_CASE("npy: headers may be written in every way of the specification") {
  const auto shape = [](const std::string& header, std::size_t data) {
    return parse_npy(file(header, data), "f").shape();
  };
  CHECK(shape("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}", 6) == Shape{2, 3});
  CHECK(shape("{\"shape\":(2,3,),\"descr\":\"|u1\",\"fortran_order\":False,}", 6) == Shape{2, 3});
  CHECK(shape("  { 'descr' : '|u1' , 'fortran_order' : False , 'shape' : ( 6 , ) , }   ", 6) == Shape{6});
  CHECK(shape("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 1) == Shape{});
}

TEST_CASE("npy: whole numbers of 64 bits are read as int32 where they fit") {
  const auto with = [](const std::vector<std::int64_t>& values, std::size_t bytes) {
    Bytes result = file(message("{'descr': '<i8', 'fortran_order': False, 'shape': (", values.size(), ",), }"), bytes);
    const std::size_t start = result.size() - bytes;
    for (std::size_t i = 0; i < std::min(bytes, 8 * values.size()); ++i)
      result[start + i] = static_cast<std::byte>(static_cast<std::uint64_t>(values[i / 8]) >> (i % 8 * 8) & 0xFF);
    return result;
  };
  const std::int64_t least = std::numeric_limits<std::int32_t>::min(), most = std::numeric_limits<std::int32_t>::max();
  CHECK(identical(parse_npy(with({3, -1, least, most}, 32), "f"),
                  Tensor::from({4}, std::vector<std::int32_t>{3, -1, -2147483647 - 1, 2147483647})));
  CHECK_THROWS_WITH(parse_npy(with({0, most + 1}, 16), "f"),
                    "f: element 1 of int64 (2) is 2147483648, which does not fit int32");
  CHECK_THROWS_WITH(parse_npy(with({least - 1}, 8), "f"),
                    "f: element 0 of int64 (1) is -2147483649, which does not fit int32");
  CHECK_THROWS_WITH(parse_npy(with({1, 2}, 8), "f"),
                    "f: int64 (2) needs 2 elements of 8 bytes, the file has 8 bytes of data");
}

TEST_CASE("npy: whole numbers of other widths are read as int32 where they fit") {
  const auto same = [](const Bytes& bytes, const std::vector<std::int32_t>& values) {
    return identical(parse_npy(bytes, "f"), Tensor::from({static_cast<Index>(values.size())}, values));
  };
  CHECK(same(npy_numbers<std::int16_t>("<i2", {3, -1, -32768, 32767}), {3, -1, -32768, 32767}));
  CHECK(same(npy_numbers<std::uint16_t>("<u2", {3, 65535}), {3, 65535}));
  CHECK(same(npy_numbers<std::uint32_t>("<u4", {3, 2147483647}), {3, 2147483647}));
  CHECK(same(npy_numbers<std::uint64_t>("<u8", {3, 2147483647}), {3, 2147483647}));
  CHECK_THROWS_WITH(parse_npy(npy_numbers<std::uint32_t>("<u4", {0, 2147483648}), "f"),
                    "f: element 1 of uint32 (2) is 2147483648, which does not fit int32");
  CHECK_THROWS_WITH(parse_npy(npy_numbers<std::uint64_t>("<u8", {18446744073709551615U}), "f"),
                    "f: element 0 of uint64 (1) is 18446744073709551615, which does not fit int32");
  CHECK_THROWS_WITH(parse_npy(npy_file("<i2", "(2,)", "abc"), "f"),
                    "f: int16 (2) needs 2 elements of 2 bytes, the file has 3 bytes of data");
  CHECK_THROWS_WITH(parse_npy(npy_file("<u8", "(2305843009213693952,)", ""), "f"),
                    "f: uint64 (2305843009213693952) needs 2305843009213693952 elements of 8 bytes, the file has 0 "
                    "bytes of data");
}

TEST_CASE("npy: every truncation and every appended byte is refused") {
  const Bytes whole = from_hex(numpy_file);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THROWS_AS(parse_npy(std::span(whole).first(size), "part"), IoError);
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  CHECK_THROWS_WITH(parse_npy(longer, "f"),
                    "f: int32 (2, 2) needs 4 elements of 4 bytes, the file has 17 bytes of data");
}

TEST_CASE("npy: malformed files are refused with their name and the reason") {
  const auto refused = [](const Bytes& bytes, const std::string& reason) {
    CHECK_THROWS_WITH(parse_npy(bytes, "x.npy"), Catch::StartsWith("x.npy: ") && Contains(reason));
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  REQUIRE_NOTHROW(parse_npy(file(good, 8), "good"));

  refused({}, "not an npy file");
  refused(bytes_of("PK\3\4 something else"), "not an npy file");
  refused(file(good, 8, std::string("\2\0", 2)), "npy version is 2.0, expected 1.0");
  refused(file(good, 8, std::string("\1\1", 2)), "npy version is 1.1, expected 1.0");
  refused(file("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8),
          "fortran_order is True, expected C order");
  for (const char* dtype : {">i8", ">u2", "<i3", "<u1", "<U1", ">f4", "|b1", "<f2", "=f4", "f4", "|O", ""})
    refused(file(std::string("{'descr': '") + dtype + "', 'fortran_order': False, 'shape': (2,), }", 8),
            std::string("dtype is '") + dtype +
                "', expected '<f4', '<f8', '|i1', '|u1', '<i2', '<u2', '<i4', '<u4', '<i8' or '<u8'");
  refused(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8),
          "expected a string at position 10");
  refused(file("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", 8), "expected True or False");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", 8), "expected ',' at position 52");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': [2], }", 8), "expected '('");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8), "a non-negative extent");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,), }", 8), "expected ','");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,), }", 8),
          "a non-negative extent of 64 bits");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 8),
          "does not fit 64 bits");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387906,), }", 8),
          "needs 4611686018427387906 elements");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 2), }", 8), "rank 7, at most 6");
  refused(file("{'descr': '<f4', 'fortran_order': False, }", 8), "lacks descr, fortran_order or shape");
  refused(file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8),
          "unknown or repeated key 'descr'");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 'y'}", 8), "unknown or repeated key 'x'");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", 8), "spaces and one newline after '}'");
  refused(file(good + "\n", 8), "spaces and one newline after '}'");
  refused(file("{'descr': '<f4", 8), "a closing quote");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8), "malformed npy header");
  refused(file("", 8), "expected '{'");
  refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8),
          "float32 (3) needs 3 elements of 4 bytes");
  CHECK_THROWS_WITH(read_npy("/nowhere/x.npy"), Contains("cannot open \"/nowhere/x.npy\""));
}
