#include <catch2/catch.hpp>

#include <optional>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/error.hpp>
#include "support/environment.hpp"
#include "support/gzip.hpp"
#include "support/idx.hpp"
#include "support/pictures.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;
using namespace support;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path system_directory = "/usr/share/datasets/fashion-mnist";

}  // namespace

TEST_CASE("data sets are looked for in the order that is documented") {
  const TemporaryDirectory root;
  const Environment chosen("BITGRAD_DATA_DIR", (root / "data").string());
  const Environment cache("XDG_CACHE_HOME", (root / "cache").string());
  const Environment home("HOME", (root / "home").string());

  write_idx_dataset(root / "home/.cache/bitgrad/mnist", "train", 1, 1, {1});
  {
    const Environment none("XDG_CACHE_HOME", std::nullopt);
    CHECK(find_dataset("mnist") == root / "home/.cache/bitgrad/mnist");
    const Environment relative("XDG_CACHE_HOME", "cache");
    CHECK(find_dataset("mnist") == root / "home/.cache/bitgrad/mnist");
  }
  write_idx_dataset(root / "cache/bitgrad/mnist", "train", 1, 1, {1});
  CHECK(find_dataset("mnist") == root / "cache/bitgrad/mnist");
  write_idx_dataset(root / "data/mnist", "train", 1, 1, {1});
  CHECK(find_dataset("mnist") == root / "data/mnist");
  {
    const Environment empty("BITGRAD_DATA_DIR", "");
    CHECK(find_dataset("mnist") == root / "cache/bitgrad/mnist");
  }
  const std::string path = (root / "home/.cache/bitgrad/mnist").string();
  CHECK(find_dataset(path) == path);
  if (fs::exists(system_directory)) CHECK(find_dataset("fashion-mnist") == system_directory);
}

TEST_CASE("a data set that is nowhere: every place and the way to get it are told") {
  const TemporaryDirectory root;
  const Environment chosen("BITGRAD_DATA_DIR", (root / "data").string());
  const Environment cache("XDG_CACHE_HOME", (root / "cache").string());
  CHECK_THROWS_WITH(find_dataset("mnist"),
                    Contains("data set \"mnist\" was not found") && Contains("\n  " + (root / "data/mnist").string()) &&
                        Contains("\n  " + (root / "cache/bitgrad/mnist").string()) &&
                        Contains("\n  /usr/share/datasets/mnist\n") && Contains("downloads nothing"));
  if (!fs::exists(system_directory))
    CHECK_THROWS_WITH(find_dataset("fashion-mnist"), Contains("apt-get install dataset-fashion-mnist"));
  const Environment no_choice("BITGRAD_DATA_DIR", std::nullopt);
  const Environment no_cache("XDG_CACHE_HOME", std::nullopt);
  const Environment no_home("HOME", std::nullopt);
  CHECK_THROWS_WITH(find_dataset("mnist"),
                    Contains("\n  $BITGRAD_DATA_DIR (not set)\n  ~/.cache/bitgrad (HOME is not set)\n"));
}

TEST_CASE("names and paths that do not exist") {
  CHECK_THROWS_WITH(
      find_dataset("fashion-minst"),
      Contains(
          "unknown data set \"fashion-minst\" (did you mean \"fashion-mnist\"? known: fashion-mnist, mnist, cifar10)"));
  CHECK_THROWS_AS(find_dataset("fashion-minst"), ValueError);
  CHECK_THROWS_WITH(
      find_dataset("./nothing-here"),
      Catch::StartsWith("data set path \"./nothing-here\" does not exist, expected a directory with IDX files"));
  CHECK_THROWS_AS(find_dataset(""), ValueError);
}

TEST_CASE("a directory is loaded, its classes are those of the training labels") {
  const TemporaryDirectory root;
  write_idx_dataset(root.path(), "train", 2, 2, {0, 6, 3});
  write_idx_dataset(root.path(), "t10k", 2, 2, {1, 2});
  const Dataset train = load_dataset(root.path().string(), Split::train),
                test = load_dataset(root.path().string(), Split::test);
  CHECK(train.size() == 3);
  CHECK(train.classes == 7);
  CHECK(test.size() == 2);
  CHECK(test.classes == 7);
  CHECK(test.class_names.empty());
  check_dataset(train, "train");

  write_idx_dataset(root.path(), "t10k", 2, 2, {1, 7});
  CHECK_THROWS_WITH(load_dataset(root.path().string(), Split::test),
                    Contains("t10k-labels-idx1-ubyte: label 1 is 7, expected 0 to 6"));
  fs::remove(root / "t10k-labels-idx1-ubyte");
  CHECK_THROWS_WITH(
      load_dataset(root.path().string(), Split::test),
      Contains(root.path().string()) && Contains("has neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz"));
  io::write_file_atomically(root / "t10k-labels-idx1-ubyte.gz", gzipped(idx({2}, {5, 4})));
  CHECK(load_dataset(root.path().string(), Split::test).labels.at<std::int32_t>({1}) == 4);
}

TEST_CASE("a known data set has its class names, and labels beyond them are refused") {
  const TemporaryDirectory root;
  const Environment chosen("BITGRAD_DATA_DIR", root.path().string());
  write_idx_dataset(root / "fashion-mnist", "t10k", 2, 2, {0, 1});
  const Dataset dataset = load_dataset("fashion-mnist", Split::test);
  CHECK(dataset.classes == 10);
  CHECK(dataset.class_names.at(9) == "Ankle boot");
  check_dataset(dataset, "fashion-mnist");
  CHECK_THROWS_WITH(load_dataset("fashion-mnist", Split::train), Contains("has neither train-"));
  write_idx_dataset(root / "fashion-mnist", "t10k", 2, 2, {0, 10});
  CHECK_THROWS_WITH(load_dataset("fashion-mnist", Split::test), Contains("label 1 is 10, expected 0 to 9"));
}

TEST_CASE("a known data set in another format: its classes must be the known ones") {
  const TemporaryDirectory root;
  const Environment chosen("BITGRAD_DATA_DIR", root.path().string());
  fs::create_directories(root / "cifar10");
  io::write_file_atomically(root / "cifar10/test_batch.bin", std::string(1, '\x03') + std::string(3072, 'x'));
  CHECK(load_dataset("cifar10", Split::test).class_names.at(3) == "cat");
  CHECK_THROWS_WITH(load_dataset("cifar10", Split::train), Contains("has no data_batch_*.bin"));
  fs::remove(root / "cifar10/test_batch.bin");
  fs::create_directories(root / "cifar10/train/cat");
  io::write_file_atomically(root / "cifar10/train/cat/1.png", grey_png(1, 1, 1));
  CHECK_THROWS_WITH(load_dataset("cifar10", Split::train), "data set cifar10: 1 classes, expected 10");
}

TEST_CASE("the real Fashion-MNIST, when it is installed") {
  if (!fs::exists(system_directory)) {
    WARN("no " << system_directory << ": not tested");
    return;
  }
  const Dataset test = load_dataset(system_directory.string(), Split::test);
  CHECK(test.images.shape() == Shape{10000, 28, 28, 1});
  CHECK(test.classes == 10);
  std::vector<int> counts(10);
  for (const std::int32_t label : test.labels.span<std::int32_t>()) ++counts[static_cast<std::size_t>(label)];
  CHECK(counts == std::vector<int>(10, 1000));  // the set is balanced
  // The first test image is an ankle boot.
  CHECK(test.labels.at<std::int32_t>({0}) == 9);
}
