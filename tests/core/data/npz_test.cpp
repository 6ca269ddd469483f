#include <catch2/catch.hpp>

#include <bitgrad/core/data/npz.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npz.hpp>
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
  void check_refused(const NamedTensors& arrays, const std::string& reason, Split split = Split::train) const {
    CHECK_THROWS_WITH(read(arrays, split), path.string() + ": " + reason);
    CHECK_THROWS_AS(read(arrays, split), IoError);
  }
};

}  // namespace

TEST_CASE("npz data sets: both splits, with and without a channel axis, labels of any width") {
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

TEST_CASE("npz data sets: what is missing or does not fit is named") {
  const File file;
  const Tensor x = bytes({2, 2, 2}), y = labels({2}, {0, 1});
  file.check_refused({{"x_train", x}, {"y_train", y}},
                     "no array \"x_test\", expected x_train, y_train, x_test and y_test; it holds x_train, y_train",
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
