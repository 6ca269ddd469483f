#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/layers/metrics.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

Tensor labels_of(std::vector<std::int32_t> labels) { return Tensor::from({static_cast<Index>(labels.size())}, labels); }

const Tensor logits = Tensor::from({4, 3}, {1, 2, 0, /**/ 5, 5, 1, /**/ -3, -2, -1, /**/ 0, 9, 0});

}  // namespace

TEST_CASE("the prediction is the first largest logit") {
  CHECK(identical(predictions(logits), labels_of({1, 0, 2, 1})));
  CHECK(identical(predictions(Tensor::zeros({2, 1})), labels_of({0, 0})));
}

TEST_CASE("accuracy and confusion") {
  CHECK(correct_count(logits, labels_of({1, 1, 2, 0})) == 2);
  CHECK(accuracy(logits, labels_of({1, 1, 2, 0})) == 0.5);
  CHECK(accuracy(logits, labels_of({1, 0, 2, 1})) == 1);
  const std::vector<std::int32_t> expected{0, 1, 1, 0, 1, 0, 1, 0, 0};  // of class 2, one was taken for class 0
  CHECK(identical(confusion_matrix(logits, labels_of({1, 2, 0, 0})), Tensor::from({3, 3}, expected)));
  CHECK(correct_count(Tensor({0, 3}), Tensor({0}, DType::int32)) == 0);
}

TEST_CASE("metrics refuse what they cannot judge") {
  CHECK_THROWS_WITH(accuracy(logits, labels_of({1, 1, 2})),
                    Contains("int32 (3) for logits (4, 3), expected int32 (4)"));
  CHECK_THROWS_WITH(accuracy(logits, Tensor::zeros({4})), Contains("float32 (4)"));
  CHECK_THROWS_WITH(accuracy(logits, labels_of({1, 1, 3, 0})), "label 3 of sample 2, expected 0 to 2");
  CHECK_THROWS_WITH(accuracy(logits, labels_of({1, -1, 0, 0})), "label -1 of sample 1, expected 0 to 2");
  CHECK_THROWS_WITH(predictions(Tensor::zeros({4})), Contains("float32 (4), expected float32 (samples, classes)"));
  CHECK_THROWS_AS(accuracy(Tensor({0, 3}), Tensor({0}, DType::int32)), ShapeError);
  Tensor broken = logits.clone();
  broken.at<float>({2, 0}) = std::nanf("");
  CHECK_THROWS_WITH(predictions(broken), "predictions: a logit of sample 2 is NaN");
}
