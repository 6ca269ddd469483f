#include <catch2/catch.hpp>

#include <bitgrad/core/data/idx.hpp>
#include <bitgrad/core/error.hpp>
#include "support/gzip.hpp"
#include "support/idx.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;
using namespace support;
using Catch::Contains;

TEST_CASE("idx: shape and elements, plain and gzip") {
  const TemporaryDirectory directory;
  const auto bytes = idx({2, 1, 3}, {0, 1, 2, 253, 254, 255});
  REQUIRE(bytes == from_hex("00000803"
                            "00000002"
                            "00000001"
                            "00000003"
                            "000102fdfeff"));
  const Tensor expected = Tensor::from({2, 1, 3}, std::vector<std::uint8_t>{0, 1, 2, 253, 254, 255});
  CHECK(identical(parse_idx(bytes, "f"), expected));
  io::write_file_atomically(directory / "plain", bytes);
  io::write_file_atomically(directory / "packed.gz", gzipped(bytes));
  CHECK(identical(read_idx(directory / "plain"), expected));
  CHECK(identical(read_idx(directory / "packed.gz"), expected));
}

TEST_CASE("idx: damaged files are refused with their name and the reason") {
  const auto whole = idx({2, 3}, {1, 2, 3, 4, 5, 6});
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THROWS_WITH(parse_idx(std::span(whole).first(size), "f"), Catch::StartsWith("f: truncated"));
  auto longer = whole;
  longer.push_back(std::byte{7});
  CHECK_THROWS_WITH(parse_idx(longer, "x"), "x: 1 bytes follow the 6 that shape (2, 3) needs");
  CHECK_THROWS_WITH(parse_idx(std::span(whole).first(17), "x"),
                    "x: truncated: shape (2, 3) needs 6 bytes, 5 are there");
  const auto with = [&](std::size_t at, int value) {
    auto bytes = whole;
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  CHECK_THROWS_WITH(parse_idx(with(0, 0x1f), "x"),
                    "x: wrong magic number: no IDX file, it does not start with two zero bytes");
  CHECK_THROWS_WITH(parse_idx(with(1, 1), "x"), Contains("wrong magic number"));
  CHECK_THROWS_WITH(parse_idx(with(2, 0x0d), "x"),
                    "x: wrong magic number: IDX element type is 13, expected 8 (unsigned byte)");
  CHECK_THROWS_WITH(parse_idx(with(3, 0), "x"), "x: wrong magic number: IDX file with 0 axes, expected 1 to 6");
  CHECK_THROWS_WITH(parse_idx(with(3, 7), "x"), Contains("7 axes"));
  CHECK_THROWS_WITH(parse_idx(idx({0xffffffff, 0xffffffff, 0xffffffff}, {}), "x"),
                    "x: shape whose number of elements does not fit 64 bits");
  CHECK_THROWS_WITH(parse_idx(idx({0xffffffff, 0x7fffffff}, {}), "x"),
                    Contains("x: truncated: shape (4294967295, 2147483647)"));
  CHECK_THROWS_WITH(read_idx("/nowhere/f"), Contains("cannot open \"/nowhere/f\""));

  const TemporaryDirectory directory;
  const auto packed = gzipped(whole);
  io::write_file_atomically(directory / "f.gz", std::span(packed).first(packed.size() - 3));
  CHECK_THROWS_WITH(read_idx(directory / "f.gz"), Catch::StartsWith((directory / "f.gz").string() + ": truncated"));
}

TEST_CASE("idx data sets: images of one or more channels with their labels") {
  const TemporaryDirectory directory;
  write_idx_dataset(directory.path(), "t", 2, 3, {4, 0, 9});
  const auto images = directory / "t-images-idx3-ubyte", labels = directory / "t-labels-idx1-ubyte";
  const Dataset dataset = read_idx_dataset(images, labels);
  CHECK(dataset.images.shape() == Shape{3, 2, 3, 1});
  CHECK(dataset.images.at<std::uint8_t>({2, 1, 2, 0}) == 17);
  CHECK(identical(dataset.labels, Tensor::from({3}, std::vector<std::int32_t>{4, 0, 9})));
  CHECK(dataset.classes == 10);
  CHECK(dataset.size() == 3);
  CHECK(read_idx_dataset(images, labels, 12).classes == 12);
  io::write_file_atomically(images, idx({3, 1, 2, 3}, std::vector<std::uint8_t>(18)));
  CHECK(read_idx_dataset(images, labels).images.shape() == Shape{3, 1, 2, 3});
}

TEST_CASE("idx data sets: files that do not fit together are named") {
  const TemporaryDirectory directory;
  write_idx_dataset(directory.path(), "t", 1, 1, {1, 2, 3});
  const auto images = directory / "t-images-idx3-ubyte", labels = directory / "t-labels-idx1-ubyte";
  CHECK_THROWS_WITH(read_idx_dataset(images, labels, 3), labels.string() + ": label 2 is 3, expected 0 to 2");
  io::write_file_atomically(labels, idx({2}, {1, 2}));
  CHECK_THROWS_WITH(read_idx_dataset(images, labels),
                    "3 images in " + images.string() + " but 2 labels in " + labels.string());
  CHECK_THROWS_WITH(read_idx_dataset(labels, labels),
                    labels.string() + ": shape (2), expected images [N, H, W] or [N, H, W, C]");
  CHECK_THROWS_WITH(read_idx_dataset(images, images), images.string() + ": shape (3, 1, 1), expected labels [N]");
}
