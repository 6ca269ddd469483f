#include <catch2/catch.hpp>

#include <cstring>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using Catch::Contains;
using support::TemporaryDirectory;

namespace {

std::string text(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// A file with this header, its length in front, and so many bytes of data.
Bytes file(const std::string& header, std::size_t data) {
  std::string content(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(content.data(), &size, 8);
  content += header;
  for (std::size_t i = 0; i < data; ++i) content += static_cast<char>(i);
  Bytes bytes(content.size());
  std::memcpy(bytes.data(), content.data(), content.size());
  return bytes;
}

NamedTensors sample() {
  NamedTensors tensors;
  tensors.add("codes", Tensor::from({3}, std::vector<std::int8_t>{-128, 0, 127}));
  tensors.add("kernel", Tensor::from({2, 2}, {1.5f, -0.0f, std::numeric_limits<float>::infinity(), 3e-45f}));
  tensors.add("empty", Tensor({0, 3}));
  tensors.add("double", Tensor::from(Shape{}, std::vector<double>{0.1}));
  tensors.add("bytes", Tensor::from({1, 5}, std::vector<std::uint8_t>{0, 1, 2, 254, 255}));
  tensors.add("labels", Tensor::from({2}, std::vector<std::int32_t>{-2147483647, 7}));
  return tensors;
}

const std::string f32 = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

}  // namespace

TEST_CASE("safetensors: the exact bytes of a file") {
  const NamedTensors tensors{{"b", Tensor::from({1}, std::vector<std::uint8_t>{9})}, {"a", Tensor::from({1}, {1.0f})}};
  const std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string found = text(format_safetensors(tensors, {{"k", "v"}}));
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  REQUIRE(found.size() == 8 + padded + 5);
  CHECK(found.substr(0, 8) == std::string{static_cast<char>(padded), 0, 0, 0, 0, 0, 0, 0});
  CHECK(found.substr(8, padded) == header + std::string(padded - header.size(), ' '));
  CHECK(found.substr(8 + padded) == std::string{0, 0, static_cast<char>(0x80), 0x3f, 9});
}

TEST_CASE("safetensors: a round trip keeps names, order, bits and metadata") {
  const TemporaryDirectory directory;
  const Metadata metadata{{"format", "1"}, {"note", "gr\u00fc\u00df \"x\"\n"}};
  write_safetensors(directory / "f.safetensors", sample(), metadata);
  const SafeTensors read = read_safetensors(directory / "f.safetensors");
  CHECK(identical(read.tensors, sample()));
  CHECK(read.metadata == metadata);
  CHECK(format_safetensors(sample(), metadata) == read_file(directory / "f.safetensors"));
  CHECK(parse_safetensors(format_safetensors({}), "none").tensors.empty());
}

TEST_CASE("safetensors: every tensor is aligned to its elements") {
  const Bytes bytes = format_safetensors(sample());
  const auto begin = [&](const std::string& name) {
    const std::string all = text(bytes);
    return std::stoul(all.substr(all.find("data_offsets\":[", all.find("\"" + name + "\"")) + 15));
  };
  CHECK(begin("double") == 0);
  CHECK(begin("kernel") == 8);
  CHECK(begin("labels") == 24);
  CHECK(begin("codes") == 32);
  CHECK(begin("bytes") == 35);
}

TEST_CASE("safetensors: every truncation and every appended byte is refused") {
  const Bytes whole = format_safetensors(sample(), {{"a", "b"}});
  REQUIRE_NOTHROW(parse_safetensors(whole, "whole"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THROWS_AS(parse_safetensors(std::span(whole).first(size), "part"), IoError);
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  CHECK_THROWS_WITH(parse_safetensors(longer, "f"),
                    Contains("f: the tensors end at byte 40 of the data, which has 41"));
}

TEST_CASE("safetensors: malformed files are refused with their name and the reason") {
  const auto refused = [](const std::string& header, std::size_t data, const std::string& reason) {
    CHECK_THROWS_WITH(parse_safetensors(file(header, data), "model.st"),
                      Catch::StartsWith("model.st: ") && Contains(reason));
  };
  REQUIRE_NOTHROW(parse_safetensors(file(R"({"a":)" + f32 + "}  ", 8), "good"));

  CHECK_THROWS_WITH(parse_safetensors({}, "f"), "f: not a safetensors file, it has 0 bytes, expected at least 8");
  Bytes huge = file("{}", 0);
  for (std::size_t i = 0; i < 8; ++i) huge[i] = std::byte{0xff};
  CHECK_THROWS_WITH(parse_safetensors(huge, "f"), Contains("18446744073709551615 bytes, 2 follow"));

  refused("[]", 0, "does not start with '{'");
  refused(" {}", 0, "does not start with '{'");
  refused(R"({"a":)", 0, "not JSON");
  refused(R"({"a":)" + f32 + R"(} x)", 8, "not JSON");
  refused("{\"a\xff\":" + f32 + "}", 8, "not JSON");
  refused(R"({"a":)" + f32 + R"(,"a":)" + f32 + "}", 8, "model.st: the header: the key \"a\" occurs twice");
  refused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8,
          "the key \"dtype\" occurs twice");
  refused(R"({"a":[[[[[]]]]]})", 0, "nested deeper than 3 levels");
  refused(R"({"":)" + f32 + "}", 8, "the name is empty");
  refused(R"({"a":7})", 0, "tensor \"a\": expected an object with dtype, shape and data_offsets, found 7");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", 8, "expected an object with dtype, shape and data_offsets");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8, "expected an object with");
  refused(R"({"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}})", 8,
          "dtype is \"BF16\", expected F32, F64, I8, U8 or I32");
  refused(R"({"a":{"dtype":3,"shape":[4],"data_offsets":[0,8]}})", 8, "dtype is 3");
  refused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "shape is [-2]");
  refused(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "shape is [2.0]");
  refused(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8, "shape is 2");
  refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,2],"data_offsets":[0,8]}})", 8, "rank 7");
  refused(R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}})", 8,
          "shape is [9223372036854775808]");
  refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8, "does not fit 64 bits");
  refused(R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})", 8,
          "does not fit data_offsets");
  refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
          "float32 (3) does not fit data_offsets [0,8]");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}})", 8, "inside the 8 bytes of data");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "data_offsets are [8,0]");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "expected [begin, end]");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "begins at 4, expected 0");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, "end at byte 4 of the data, which has 8");
  refused(R"({"a":)" + f32 + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", 8,
          "tensor \"b\": its data begins at 4, expected 8");
  refused(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})", 6,
      "begins at 4, expected 2");
  refused(R"({"__metadata__":7})", 0, "__metadata__ is 7");
  refused(R"({"__metadata__":{"k":1}})", 0, "__metadata__ \"k\" is 1, expected a string");
  refused(R"({"a":{"dtype":")" + std::string(100000, 'x') + R"(","shape":[1],"data_offsets":[0,4]}})", 4,
          "xxx..., expected F32");
}

TEST_CASE("safetensors: what a file cannot hold is refused by the writer") {
  CHECK_THROWS_WITH(format_safetensors({{"__metadata__", Tensor::scalar(1)}}),
                    Contains("cannot be named \"__metadata__\""));
  CHECK_THROWS_WITH(format_safetensors({{"\xff", Tensor::scalar(1)}}), Contains("no UTF-8"));
  CHECK_THROWS_WITH(read_safetensors("/nowhere/f"), Contains("cannot open \"/nowhere/f\""));
}
