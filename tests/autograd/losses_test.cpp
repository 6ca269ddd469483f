#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {
Tensor labels_of(const std::vector<std::int32_t>& labels) {
  return Tensor::from({static_cast<Index>(labels.size())}, labels);
}
}  // namespace

TEST_CASE("cross_entropy by hand") {
  const Tensor logits = Tensor::from({2, 3}, {0, 0, 0, 1, 2, 3});
  const Tensor labels = labels_of({1, 0});
  const double row0 = std::log(3.0), log_total = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  CHECK(cross_entropy(logits, labels).value().item() == Approx((row0 + log_total - 1) / 2).epsilon(1e-6));
  // Smoothing 0.3: 0.8 on the label, 0.1 on the others.
  CHECK(cross_entropy(logits, labels, 0.3).value().item() ==
        Approx((row0 + 0.8 * (log_total - 1) + 0.1 * (log_total - 2) + 0.1 * (log_total - 3)) / 2).epsilon(1e-6));
  CHECK(cross_entropy(Tensor::from({1, 2}, {2000, -2000}), labels_of({1})).value().item() == Approx(4000));
  CHECK(cross_entropy(logits, labels).shape() == Shape{});
}

TEST_CASE("gradients of cross_entropy") {
  for (const double smoothing : {0.0, 0.1, 0.5})
    for (const auto& [shape, labels] : std::vector<std::pair<Shape, std::vector<std::int32_t>>>{
             {{1, 1}, {0}}, {{1, 5}, {4}}, {{4, 3}, {2, 0, 0, 1}}}) {
      const auto f = [&, l = labels_of(labels)](const std::vector<Variable>& v) {
        return cross_entropy(v[0], l, smoothing);
      };
      check_gradient(f, {uniform(shape, 3, -3, 3)});
      check_float32(f, {uniform(shape, 3, -3, 3)}, 1e-6);
    }
}

TEST_CASE("cross_entropy keeps its own copy of the labels") {
  Tensor labels = labels_of({0, 1});
  Tape tape;
  const Variable x = tape.watch(Tensor::zeros({2, 2}));
  const Variable loss = cross_entropy(x, labels);
  labels.fill(0);
  tape.backward(loss);
  CHECK(identical(tape.gradient(x), Tensor::from({2, 2}, {-0.25f, 0.25f, 0.25f, -0.25f})));
}

TEST_CASE("soft_cross_entropy by hand, and of whole shares as cross_entropy") {
  const Tensor logits = Tensor::from({2, 3}, {0, 0, 0, 1, 2, 3});
  const Tensor targets = Tensor::from({2, 3}, {0.25f, 0.75f, 0, 0.5f, 0, 0.5f});
  const double row0 = std::log(3.0), log_total = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  CHECK(soft_cross_entropy(logits, targets).value().item() == Approx((row0 + log_total - 2) / 2).epsilon(1e-6));
  // Smoothing 0.3: 0.7 of the target and 0.1 for every class.
  CHECK(soft_cross_entropy(logits, targets, 0.3).value().item() ==
        Approx((row0 + log_total - 0.7 * 2 - 0.3 * 2) / 2).epsilon(1e-6));
  const Tensor whole = Tensor::from({2, 3}, {0, 1, 0, 1, 0, 0});
  for (const double smoothing : {0.0, 0.2})
    CHECK(soft_cross_entropy(logits, whole, smoothing).value().item() ==
          Approx(cross_entropy(logits, labels_of({1, 0}), smoothing).value().item()).epsilon(1e-6));
  // A class without a share may be impossible.
  CHECK(soft_cross_entropy(Tensor::from({1, 2}, {0, -INFINITY}), Tensor::from({1, 2}, {1, 0})).value().item() == 0);
}

TEST_CASE("gradients of soft_cross_entropy, which keeps its own copy of the targets") {
  Tensor targets = Tensor::from({3, 4}, {0.5f, 0.5f, 0, 0, 0.125f, 0.125f, 0.25f, 0.5f, 0, 0, 0, 1});
  for (const double smoothing : {0.0, 0.3}) {
    const auto f = [&](const std::vector<Variable>& v) {
      return soft_cross_entropy(v[0], targets.to(v[0].dtype()), smoothing);
    };
    check_gradient(f, {uniform({3, 4}, 3, -3, 3)});
    check_float32(f, {uniform({3, 4}, 3, -3, 3)}, 1e-6);
  }
  Tape tape;
  const Variable x = tape.watch(Tensor::zeros({3, 4}));
  const Variable loss = soft_cross_entropy(x, targets);
  targets.fill(0);
  tape.backward(loss);
  CHECK(tape.gradient(x).at<float>({0, 0}) == Approx((0.25 - 0.5) / 3));
  CHECK(tape.gradient(x).at<float>({2, 3}) == Approx((0.25 - 1.0) / 3));
}

TEST_CASE("mse") {
  CHECK(mse(Tensor::from({2, 2}, {1, 2, 3, 4}), Tensor::from({2, 2}, {1, 0, 3, 1})).value().item() == Approx(13.0 / 4));
  const auto f = [](const std::vector<Variable>& v) { return mse(v[0], v[1]); };
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3, 2}})
    check_gradient(f, {uniform(shape, 1), uniform(shape, 2)});
  check_float32(f, {uniform({40, 50}, 1), uniform({40, 50}, 2)}, 1e-6);
}

TEST_CASE("distillation: by hand, its gradient, and what it refuses") {
  // softmax([ln 3, 0]) = [3/4, 1/4] at temperature 1; the student says [1/2, 1/2].
  const Tensor teacher = Tensor::from({1, 2}, {std::log(3.0F), 0.0F});
  const double expected = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);
  CHECK(distillation(Tensor::zeros({1, 2}), teacher, 1).value().item() == Approx(expected));
  CHECK(distillation(teacher, teacher, 3).value().item() == Approx(0).margin(1e-7));
  // At temperature T the same as T^2 times that of logits divided by T.
  const Tensor doubled = Tensor::from({1, 2}, {2 * std::log(3.0F), 0.0F});
  CHECK(distillation(Tensor::zeros({1, 2}), doubled, 2).value().item() == Approx(4 * expected));
  Tape tape;
  const Variable logits = tape.watch(Tensor::zeros({1, 2}));
  tape.backward(distillation(logits, teacher, 1));
  CHECK(tape.gradient(logits).at<float>({0, 0}) == Approx(0.5 - 0.75));  // softmax(logits) - softmax(teacher)
  CHECK(tape.gradient(logits).at<float>({0, 1}) == Approx(0.5 - 0.25));
  CHECK_THROWS_AS(distillation(Tensor::zeros({2, 2}), teacher, 1), ShapeError);
  CHECK_THROWS_AS(distillation(teacher, teacher, 0), ValueError);
}
