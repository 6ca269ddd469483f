#include <catch2/catch.hpp>

#include <bitgrad/core/data/npz.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>
#include "support/npy.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;

namespace {

Tensor bytes(const Shape& shape) {
  Tensor result(shape, DType::uint8);
  for (Index i = 0; i < result.size(); ++i) result.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i);
  return result;
}

Tensor labels(const Shape& shape, const std::vector<std::int32_t>& values) { return Tensor::from(shape, values); }

struct File {
  support::TemporaryDirectory directory;
  io::Path path = directory / "data.npz";

  Dataset read(const NamedTensors& arrays, Split split = Split::train) const {
    io::write_npz(path, arrays);
    return read_npz_dataset(path, split);
  }
  Dataset read(const std::vector<io::ZipEntry>& entries, Split split = Split::train) const {
    io::write_file_atomically(path, io::format_zip(entries));
    return read_npz_dataset(path, split);
  }
  void check_refused(const NamedTensors& arrays, const std::string& reason, Split split = Split::train) const {
    CHECK_THROWS_WITH(read(arrays, split), path.string() + ": " + reason);
    CHECK_THROWS_AS(read(arrays, split), IoError);
  }
};

}  // namespace

TEST_CASE("npz data sets: both splits, with and without a channel axis") {
  const File file;
  const NamedTensors arrays{{"x_train", bytes({3, 2, 2})},
                            {"y_train", labels({3, 1}, {4, 0, 2})},
                            {"x_test", bytes({2, 2, 2, 1})},
                            {"y_test", labels({2}, {1, 3}).to(DType::uint8)},
                            {"note", Tensor::scalar(1)}};
  const Dataset train = file.read(arrays), test = file.read(arrays, Split::test);
  CHECK(train.images.shape() == Shape{3, 2, 2, 1});
  CHECK(train.images.at<std::uint8_t>({2, 1, 1, 0}) == 11);
  CHECK(identical(train.labels, labels({3}, {4, 0, 2})));
  CHECK(train.classes == 5);
  CHECK(identical(test.labels, labels({2}, {1, 3})));
  CHECK(test.classes == 5);
  check_dataset(test, "test");
  CHECK(npz_has_split(file.path, Split::test));
  CHECK(file.read({{"x_train", bytes({1, 4, 4, 3})}, {"y_train", labels({1}, {0})}}).images.shape() ==
        Shape{1, 4, 4, 3});
  CHECK_FALSE(npz_has_split(file.path, Split::test));
}

TEST_CASE("npz data sets: labels of any width") {
  const File file;
  const io::ZipEntry images{"x_train.npy", io::format_npy(bytes({3, 1, 1}))};
  const auto check = [&](const io::Bytes& y_train) {
    const Dataset dataset = file.read({images, {"y_train.npy", y_train}});
    CHECK(identical(dataset.labels, labels({3}, {4, 0, 2})));
    CHECK(dataset.classes == 5);
  };
  check(support::npy_numbers<std::int8_t>("|i1", {4, 0, 2}));
  check(support::npy_numbers<std::uint8_t>("|u1", {4, 0, 2}));
  check(support::npy_numbers<std::int16_t>("<i2", {4, 0, 2}));
  check(support::npy_numbers<std::uint16_t>("<u2", {4, 0, 2}));
  check(support::npy_numbers<std::int32_t>("<i4", {4, 0, 2}));
  check(support::npy_numbers<std::uint32_t>("<u4", {4, 0, 2}));
  check(support::npy_numbers<std::int64_t>("<i8", {4, 0, 2}));
  check(support::npy_numbers<std::uint64_t>("<u8", {4, 0, 2}));

  const auto refused = [&](const io::Bytes& y_train, const std::string& reason) {
    CHECK_THROWS_WITH(file.read({images, {"y_train.npy", y_train}}), file.path.string() + ": " + reason);
  };
  refused(support::npy_numbers<std::int16_t>("<i2", {0, 1, -1}), "label 2 of y_train is -1, expected 0 to 65535");
  refused(support::npy_numbers<std::uint32_t>("<u4", {0, 65536, 1}),
          "label 1 of y_train is 65536, expected 0 to 65535");
  refused(support::npy_numbers<std::uint64_t>("<u8", {0, 1, std::uint64_t{1} << 32}),
          "entry \"y_train.npy\": element 2 of uint64 (3) is 4294967296, which does not fit int32");
}

TEST_CASE("npz data sets: names of the classes, and arrays that are left alone") {
  const File file;
  const std::vector<io::ZipEntry> arrays{{"x_train.npy", io::format_npy(bytes({2, 1, 1}))},
                                         {"y_train.npy", io::format_npy(labels({2}, {2, 0}))},
                                         {"x_test.npy", io::format_npy(bytes({1, 1, 1}))},
                                         {"y_test.npy", io::format_npy(labels({1}, {3}))},
                                         {"date.npy", support::npy_file("<M8[s]", "()", "8 bytes.")}};
  const auto with_names = [&](const io::Bytes& names) {
    std::vector<io::ZipEntry> entries = arrays;
    entries.push_back({"class_names.npy", names});
    return entries;
  };
  CHECK(file.read(arrays).class_names.empty());
  CHECK_THROWS_WITH(file.read(arrays, Split::test), file.path.string() + ": label 0 of y_test is 3, expected 0 to 2");

  // A class that has no training image counts when it has a name.
  const std::vector<std::string> four{"cat", "H\u00fcndin", "\u732b", ""};
  for (const io::Bytes& names :
       {support::npy_strings(four),
        support::npy_wide_strings('<', 6,
                                  std::u32string(U"cat\0\0\0H\u00fcndin\u732b", 13) + std::u32string(11, U'\0'))})
    for (const Split split : {Split::train, Split::test}) {
      const Dataset dataset = file.read(with_names(names), split);
      CHECK(dataset.classes == 4);
      CHECK(dataset.class_names == four);
      check_dataset(dataset, "named");
    }
  const auto refused = [&](const io::Bytes& names, const std::string& reason) {
    CHECK_THROWS_WITH(file.read(with_names(names)), file.path.string() + ": " + reason);
    CHECK_THROWS_AS(file.read(with_names(names)), IoError);
  };
  refused(support::npy_strings({"a", "b"}),
          "class_names has 2 names, expected at least 3, one for every label of y_train");
  refused(support::npy_strings({"cat", "dog", "cat"}),
          "class_names has \"cat\" more than once, expected a name for each class");
  refused(support::npy_strings({}), "class_names has 0 names, expected at least 3, one for every label of y_train");
  refused(support::npy_file("|S1", "(65537,)", std::string(65537, 'a')),
          "entry \"class_names.npy\": 65537 strings, expected at most 65536");
  refused(support::npy_file("|S1", "(2, 2)", "abcd"),
          "entry \"class_names.npy\": strings '|S1' (2, 2), expected one axis");
  refused(support::npy_numbers<std::int32_t>("<i4", {1, 2, 3}),
          "entry \"class_names.npy\": dtype is '<i4', expected strings: '<U', '>U' or '|S' and a length from 1 on");
}

TEST_CASE("npz data sets: what is missing or does not fit is named") {
  const File file;
  const Tensor x = bytes({2, 2, 2}), y = labels({2}, {0, 1});
  file.check_refused(
      {{"x_train", x}, {"y_train", y}},
      "no array \"x_test\", the test split; hold out a share of the training images (bitgrad train --hold-out, "
      "data::hold_out())",
      Split::test);
  file.check_refused({{"x_train", x}, {"y_train", y}, {"x_test", x}},
                     "no array \"y_test\", expected x_train, y_train, x_test and y_test; it holds x_train, y_train, "
                     "x_test",
                     Split::test);
  file.check_refused({{"x_test", x}, {"y_test", y}},
                     "no array \"y_train\", expected x_train, y_train, x_test and y_test; it holds x_test, y_test",
                     Split::test);
  file.check_refused({{"x_train", x.to(DType::float32)}, {"y_train", y}},
                     "x_train is float32 (2, 2, 2), expected uint8 [N, H, W] or [N, H, W, C]");
  file.check_refused({{"x_train", bytes({4, 2})}, {"y_train", y}},
                     "x_train is uint8 (4, 2), expected uint8 [N, H, W] or [N, H, W, C]");
  file.check_refused({{"x_train", x}, {"y_train", y.to(DType::float32)}},
                     "y_train is float32 (2), expected whole numbers [N] or [N, 1]");
  file.check_refused({{"x_train", x}, {"y_train", labels({1, 2}, {0, 1})}},
                     "y_train is int32 (1, 2), expected whole numbers [N] or [N, 1]");
  file.check_refused({{"x_train", x}, {"y_train", labels({3}, {0, 1, 2})}},
                     "2 images in x_train but 3 labels in y_train");
  file.check_refused({{"x_train", x}, {"y_train", labels({2}, {0, -1})}},
                     "label 1 of y_train is -1, expected 0 to 65535");
  file.check_refused({{"x_train", x}, {"y_train", labels({2}, {65536, 0})}},
                     "label 0 of y_train is 65536, expected 0 to 65535");
  CHECK(file.read({{"x_train", x}, {"y_train", labels({2}, {65535, 0})}}).classes == 65536);
  file.check_refused({{"x_train", x}, {"y_train", y}, {"x_test", x}, {"y_test", labels({2}, {2, 0})}},
                     "label 0 of y_test is 2, expected 0 to 1", Split::test);
}
