#include <catch2/catch.hpp>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/data/format.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>
#include "support/bytes.hpp"
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
  write(root / "pictures.tar", {});
  CHECK_THROWS_WITH(detect_format(root / "pictures.tar"),
                    Contains("pictures.tar\" is a file whose name ends with neither .npz nor .zip, expected a "
                             "directory with") &&
                        Contains("or a file NAME.zip with the same"));
  write(root / "no-pictures/cat/notes.txt", {});
  write(root / "no-pictures/cat/more/1.png", support::grey_png(1, 1, 1));
  write(root / "no-pictures/.hidden/1.png", support::grey_png(1, 1, 1));
  fs::create_directories(root / "no-pictures/dog/1.png");
  CHECK_THROWS_WITH(detect_format(root / "no-pictures"),
                    Contains("no-pictures\" holds no data set, expected") &&
                        Contains("or a folder of pictures per class (training images alone)"));
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
                    Contains("zips\" has no test.zip, the test split of zipped image folders; hold out a share of the "
                             "training images (bitgrad train --hold-out, data::hold_out())"));
}

TEST_CASE("class folders and one zip of them are training images alone") {
  const TemporaryDirectory root;
  write(root / "flat/dog/1.JPEG", support::jpeg(2, 2, {7}));
  write(root / "flat/cat/1.png", support::grey_png(2, 2, 5));
  write(root / "flat/cat/2.png", support::grey_png(2, 2, 6));
  write(root / "flat/.thumbnails/x", {});
  write(root / "flat.zip", io::format_zip({{"dog/1.JPEG", support::jpeg(2, 2, {7})},
                                           {"cat/2.png", support::grey_png(2, 2, 6)},
                                           {"cat/1.png", support::grey_png(2, 2, 5)}}));
  CHECK(detect_format(root / "flat") == Format::class_folders);
  CHECK(detect_format(root / "flat.zip") == Format::class_zip);
  CHECK(name_of(Format::class_folders) == "class folders");
  CHECK(name_of(Format::class_zip) == "zipped class folders");
  for (const auto& [name, format] : {std::pair{"flat", "class folders"}, {"flat.zip", "zipped class folders"}}) {
    INFO(name);
    const std::string path = (root / name).string();
    CHECK(has_split(path, Split::train));
    CHECK_FALSE(has_split(path, Split::test));
    const Dataset train = load_dataset(path, Split::train);
    CHECK(train.class_names == std::vector<std::string>{"cat", "dog"});
    CHECK(identical(train.labels, Tensor::from({3}, std::vector<std::int32_t>{0, 1, 0})));
    CHECK(train.images.at<std::uint8_t>({2, 1, 1, 0}) == 6);
    CHECK_THROWS_WITH(load_dataset(path, Split::test),
                      Contains(message(name, "\" has no test split, ", format,
                                       " are training images alone; hold out a share "
                                       "of the training images (bitgrad train --hold-out, data::hold_out())")));
    CHECK_THROWS_AS(load_dataset(path, Split::test), IoError);
  }
  // What is out of place is named by the reader.
  write(root / "flat/notes.txt", {});
  CHECK_THROWS_WITH(load_dataset((root / "flat").string(), Split::train),
                    Contains("notes.txt: a file beside the class folders, expected folders alone"));
  write(root / "flat.zip", io::format_zip({{"flat/cat/1.png", support::grey_png(2, 2, 6)}}));
  CHECK_THROWS_WITH(load_dataset((root / "flat.zip").string(), Split::train),
                    Contains("flat.zip: entry \"flat/cat/1.png\" is out of place, expected CLASS/PICTURE"));
  write(root / "flat.zip", support::bytes_of("no archive"));
  CHECK_THROWS_WITH(load_dataset((root / "flat.zip").string(), Split::train), Contains("flat.zip: not a zip archive"));
}

TEST_CASE("files of splits win over class folders") {
  const TemporaryDirectory root;
  for (const char* data : {"folders", "zips", "tests"}) write(root / data / "cat/1.png", support::grey_png(2, 2, 5));
  write(root / "folders/train/ape/1.png", support::grey_png(2, 2, 5));
  write(root / "zips/train.zip", io::format_zip({{"ape/1.png", support::grey_png(2, 2, 5)}}));
  write(root / "tests/test/ape/1.png", support::grey_png(2, 2, 5));
  CHECK(detect_format(root / "folders") == Format::folders);
  CHECK(detect_format(root / "zips") == Format::zips);
  CHECK(load_dataset((root / "folders").string(), Split::train).class_names == std::vector<std::string>{"ape"});
  CHECK(load_dataset((root / "zips").string(), Split::train).class_names == std::vector<std::string>{"ape"});
  CHECK(detect_format(root / "zips/train.zip") == Format::class_zip);
  for (const Split split : {Split::train, Split::test})
    CHECK_THROWS_WITH(load_dataset((root / "tests").string(), split),
                      Contains("tests\" has no train, the train split of image folders") && !Contains("hold"));
}

TEST_CASE("training images alone: who asks for test images is told what to do") {
  const TemporaryDirectory root;
  support::write_idx_dataset(root / "idx", "train", 2, 2, {0, 1});
  write(root / "cifar/data_batch_1.bin", std::vector<std::byte>(3073));
  write(root / "folders/train/cat/1.png", support::grey_png(2, 2, 1));
  const auto refused = [&](const std::string& name, const std::string& missing) {
    const std::string path = (root / name).string();
    CHECK(load_dataset(path, Split::train).size() > 0);
    CHECK_THROWS_WITH(
        load_dataset(path, Split::test),
        Contains(name + "\" has no " + missing +
                 "; hold out a share of the training images (bitgrad train --hold-out, data::hold_out())"));
  };
  refused("idx", "t10k-images-idx3-ubyte, the test split of IDX");
  refused("cifar", "test_batch.bin, the test split of CIFAR-10 binary");
  refused("folders", "test, the test split of image folders");
}
