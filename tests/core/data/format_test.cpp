#include <catch2/catch.hpp>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/data/format.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>
#include "support/idx.hpp"
#include "support/pictures.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;
using Catch::Contains;
using support::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::vector<std::byte>& bytes) {
  fs::create_directories(path.parent_path());
  io::write_file_atomically(path, bytes);
}

}  // namespace

TEST_CASE("formats are told by the names of the files") {
  const TemporaryDirectory root;
  support::write_idx_dataset(root / "idx", "train", 2, 2, {0, 1});
  write(root / "cifar/test_batch.bin", std::vector<std::byte>(3073));
  write(root / "folders/train/cat/1.png", support::grey_png(2, 2, 1));
  write(root / "zips/test.zip", io::format_zip({{"cat/1.png", support::grey_png(2, 2, 1)}}));
  io::write_npz(root / "arrays.npz", {});
  CHECK(detect_format(root / "idx") == Format::idx);
  CHECK(detect_format(root / "cifar") == Format::cifar10);
  CHECK(detect_format(root / "folders") == Format::folders);
  CHECK(detect_format(root / "zips") == Format::zips);
  CHECK(detect_format(root / "arrays.npz") == Format::npz);
  CHECK(has_split(root / "idx", Split::train));
  CHECK_FALSE(has_split(root / "idx", Split::test));
  CHECK(has_split(root / "cifar", Split::test));
  CHECK_FALSE(has_split(root / "cifar", Split::train));
  CHECK_FALSE(has_split(root / "folders", Split::test));
  CHECK_FALSE(has_split(root / "zips", Split::train));
  CHECK_FALSE(has_split(root / "arrays.npz", Split::train));
  CHECK(name_of(Format::zips) == "zipped image folders");
  CHECK(name_of(Format::npz) == "npz");
}

TEST_CASE("paths without a data set, or with two, are refused with what was expected") {
  const TemporaryDirectory root;
  CHECK_THROWS_WITH(detect_format(root.path()), Contains("holds no data set, expected a directory with IDX files") &&
                                                    Contains("data_batch_*.bin") && Contains("train.zip") &&
                                                    Contains("x_train"));
  CHECK_THROWS_WITH(detect_format(root / "nowhere"), Contains("nowhere\" does not exist"));
  write(root / "pictures.zip", {});
  CHECK_THROWS_WITH(detect_format(root / "pictures.zip"),
                    Contains("pictures.zip\" is a file whose name does not end with .npz"));
  write(root / "test.zip", {});
  write(root / "test_batch.bin", {});
  CHECK_THROWS_WITH(detect_format(root.path()),
                    Contains("holds two data sets, CIFAR-10 binary and zipped image folders"));
}

TEST_CASE("image folders and their zips: classes are those of the training split, which has to be there") {
  const TemporaryDirectory root;
  for (const char* picture : {"train/ape/1.png", "train/bee/1.png", "test/bee/1.png", "test/bee/2.png"})
    write(root / "folders" / picture, support::grey_png(2, 2, 5));
  write(root / "zips/train.zip",
        io::format_zip({{"bee/1.png", support::grey_png(2, 2, 5)}, {"ape/1.png", support::grey_png(2, 2, 5)}}));
  write(root / "zips/test.zip",
        io::format_zip({{"bee/1.png", support::grey_png(2, 2, 5)}, {"bee/2.png", support::grey_png(2, 2, 5)}}));
  for (const char* form : {"folders", "zips"}) {
    INFO(form);
    const std::string path = (root / form).string();
    const Dataset train = load_dataset(path, Split::train), test = load_dataset(path, Split::test);
    CHECK(train.class_names == std::vector<std::string>{"ape", "bee"});
    CHECK(identical(train.labels, Tensor::from({2}, std::vector<std::int32_t>{0, 1})));
    CHECK(test.class_names == train.class_names);
    CHECK(identical(test.labels, Tensor::from({2}, std::vector<std::int32_t>{1, 1})));
  }
  fs::remove_all(root / "folders/train");
  fs::remove(root / "zips/test.zip");
  CHECK_THROWS_WITH(load_dataset((root / "folders").string(), Split::test),
                    Contains("folders\" has no train, the train split of image folders"));
  CHECK_THROWS_WITH(load_dataset((root / "zips").string(), Split::test),
                    Contains("zips\" has no test.zip, the test split of zipped image folders"));
}
