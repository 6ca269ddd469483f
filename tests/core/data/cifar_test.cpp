#include <catch2/catch.hpp>

#include <bitgrad/core/data/cifar.hpp>
#include <bitgrad/core/error.hpp>
#include "support/bytes.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;

namespace {

constexpr int plane = 1024;

/// A record: byte i of plane c is (label + 50 c + i) mod 256.
std::string record(int label) {
  std::string text(1, static_cast<char>(label));
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < plane; ++i) text += static_cast<char>(label + 50 * c + i);
  return text;
}

void write(const std::filesystem::path& path, const std::string& text) {
  io::write_file_atomically(path, support::bytes_of(text));
}

}  // namespace

TEST_CASE("cifar10: planes of channels become channels last, files come in order of their names") {
  const support::TemporaryDirectory directory;
  write(directory / "data_batch_2.bin", record(9) + record(1));
  write(directory / "data_batch_1.bin", record(3));
  write(directory / "test_batch.bin", record(7));
  write(directory / "batches.meta.txt", "airplane\n");
  const Dataset train = read_cifar10(directory.path(), Split::train),
                test = read_cifar10(directory.path(), Split::test);
  CHECK(identical(train.labels, Tensor::from({3}, std::vector<std::int32_t>{3, 9, 1})));
  CHECK(train.images.shape() == Shape{3, 32, 32, 3});
  CHECK(train.classes == 10);
  CHECK(train.class_names.at(3) == "cat");
  check_dataset(train, "train");
  for (int c = 0; c < 3; ++c) CHECK(train.images.at<std::uint8_t>({1, 2, 5, c}) == (9 + 50 * c + 2 * 32 + 5) % 256);
  CHECK(test.size() == 1);
  CHECK(test.labels.item() == 7);
}

TEST_CASE("cifar10: wrong lengths, labels and missing files are named") {
  const support::TemporaryDirectory directory;
  const auto path = directory / "data_batch_1.bin";
  const auto refused = [&](const std::string& content, const std::string& reason) {
    write(path, content);
    CHECK_THROWS_WITH(read_cifar10(directory.path(), Split::train), path.string() + ": " + reason);
    CHECK_THROWS_AS(read_cifar10(directory.path(), Split::train), IoError);
  };
  const std::string expected =
      " bytes, expected a positive multiple of 3073, the size of a CIFAR-10 record (a label and 3 x 32 x 32 pixels)";
  refused(record(1) + "x", "3074" + expected);
  refused("", "0" + expected);
  refused(record(1) + record(10), "the label of record 1 is 10, expected 0 to 9");
  CHECK_THROWS_WITH(read_cifar10(directory.path(), Split::test), Catch::EndsWith("has no test_batch.bin"));
}

TEST_CASE("cifar10: the bytes of a file alone are read as the file is") {
  const support::TemporaryDirectory directory;
  const std::string content = record(9) + record(1);
  write(directory / "test_batch.bin", content);
  const Dataset from_file = read_cifar10(directory.path(), Split::test),
                from_bytes = parse_cifar10(std::as_bytes(std::span(content)), "batch");
  CHECK(identical(from_bytes.images, from_file.images));
  CHECK(identical(from_bytes.labels, from_file.labels));
  CHECK_THROWS_WITH(parse_cifar10(std::as_bytes(std::span(content)).first(9), "batch"),
                    Catch::StartsWith("batch: 9 bytes, expected a positive multiple of 3073"));
}
