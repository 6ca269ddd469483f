#include <bitgrad/autograd/operations/losses.hpp>

#include <cmath>

#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/autograd/operations/detail/rows.hpp>
#include <bitgrad/autograd/operations/shape.hpp>

namespace bitgrad {
namespace {

void check_labels(const Variable& logits, const Tensor& labels, double label_smoothing) {
  detail::require_floating("cross_entropy", logits.value());
  if (logits.shape().rank() != 2 || labels.dtype() != DType::int32 || labels.shape() != Shape{logits.shape()[0]})
    fail<ShapeError>("cross_entropy: logits are ", logits.dtype(), " ", logits.shape(), " and labels ", labels.dtype(),
                     " ", labels.shape(), ", expected (N, K) and int32 (N)");
  if (logits.value().size() == 0) fail<ShapeError>("cross_entropy: the batch is empty: logits are ", logits.shape());
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    fail<ValueError>("cross_entropy: label_smoothing is ", label_smoothing, ", expected 0 <= label_smoothing < 1");
  const auto values = labels.span<std::int32_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] >= logits.shape()[1])
      fail<ValueError>("cross_entropy: label ", i, " is ", values[i], ", expected 0 to ", logits.shape()[1] - 1);
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& labels, double label_smoothing) {
  check_labels(logits, labels, label_smoothing);
  const Index n = logits.shape()[0], k = logits.shape()[1];
  const double others = label_smoothing / static_cast<double>(k), extra = 1 - label_smoothing;
  const Tensor log_probability = detail::log_softmax(logits.value());
  const auto label = labels.span<std::int32_t>();
  return dispatch_floating("cross_entropy", logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* row = log_probability.data<T>();
    double total = 0;
    for (Index i = 0; i < n; ++i, row += k) {
      total -= extra * static_cast<double>(row[label[static_cast<std::size_t>(i)]]);
      if (others > 0)
        for (Index j = 0; j < k; ++j) total -= others * static_cast<double>(row[j]);
    }
    Tensor loss = Tensor::scalar(total / static_cast<double>(n), logits.dtype());
    // d loss / d logits = (softmax - target) / N
    return record_operation("cross_entropy", std::move(loss), {logits},
                            [=, labels = labels.clone()](const Tensor& g, GradSink& sink) {
                              const double scale = g.item() / static_cast<double>(n);
                              Tensor dx = detail::exponential(log_probability);
                              T* to = dx.data<T>();
                              for (Index i = 0; i < n; ++i, to += k) {
                                to[labels.data<std::int32_t>()[i]] -= static_cast<T>(extra);
                                for (Index j = 0; j < k; ++j)
                                  to[j] = static_cast<T>((static_cast<double>(to[j]) - others) * scale);
                              }
                              sink.add(0, std::move(dx));
                            });
  });
}

namespace {

void check_targets(const Variable& logits, const Tensor& targets, double label_smoothing) {
  detail::require_same_dtype("soft_cross_entropy", logits.value(), targets);
  if (logits.shape().rank() != 2 || targets.shape() != logits.shape() || targets.size() == 0)
    fail<ShapeError>("soft_cross_entropy: logits are ", logits.shape(), " and targets ", targets.shape(),
                     ", expected the same (N, K) with at least one row");
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    fail<ValueError>("soft_cross_entropy: label_smoothing is ", label_smoothing, ", expected 0 <= label_smoothing < 1");
  dispatch_floating("soft_cross_entropy", targets.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* share = targets.data<T>();
    for (Index row = 0; row < targets.dim(0); ++row) {
      double sum = 0;
      bool positive = true;
      for (Index j = 0; j < targets.dim(1); ++j, ++share) {
        sum += static_cast<double>(*share);
        positive = positive && *share >= 0;
      }
      if (!positive || !(std::abs(sum - 1) < 1e-4))
        fail<ValueError>("soft_cross_entropy: the shares of row ", row, " add up to ", sum,
                         positive ? "" : ", some of them negative", ", expected shares from 0 that add up to 1");
    }
  });
}

}  // namespace

Variable soft_cross_entropy(const Variable& logits, const Tensor& targets, double label_smoothing) {
  check_targets(logits, targets, label_smoothing);
  const Index n = logits.shape()[0], k = logits.shape()[1], size = n * k;
  const double others = label_smoothing / static_cast<double>(k), extra = 1 - label_smoothing;
  const Tensor log_probability = detail::log_softmax(logits.value());
  return dispatch_floating("soft_cross_entropy", logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto target_of = [=](T share) { return extra * static_cast<double>(share) + others; };
    double total = 0;
    for (Index i = 0; i < size; ++i)  // a class without a share adds nothing, however unlikely it is
      if (const double target = target_of(targets.data<T>()[i]); target > 0)
        total -= target * static_cast<double>(log_probability.data<T>()[i]);
    Tensor loss = Tensor::scalar(total / static_cast<double>(n), logits.dtype());
    // d loss / d logits = (softmax - target) / N
    return record_operation(
        "soft_cross_entropy", std::move(loss), {logits},
        [=, targets = targets.clone()](const Tensor& g, GradSink& sink) {
          const double scale = g.item() / static_cast<double>(n);
          Tensor dx = detail::exponential(log_probability);
          T* to = dx.data<T>();
          for (Index i = 0; i < size; ++i)
            to[i] = static_cast<T>((static_cast<double>(to[i]) - target_of(targets.data<T>()[i])) * scale);
          sink.add(0, std::move(dx));
        });
  });
}

Variable distillation(const Variable& logits, const Tensor& teacher, double temperature) {
  if (logits.shape().rank() != 2 || logits.shape() != teacher.shape() || logits.shape().size() == 0)
    fail<ShapeError>("distillation: logits are ", logits.shape(), ", the teacher's ", teacher.shape(),
                     ", expected the same (samples, classes)");
  if (!(temperature > 0 && std::isfinite(temperature)))
    fail<ValueError>("distillation: the temperature is ", temperature, ", expected a positive number");
  const Variable target = log_softmax(Variable(teacher) * (1 / temperature));
  const Variable own = log_softmax(logits * (1 / temperature));
  const double factor = temperature * temperature / static_cast<double>(logits.shape()[0]);
  return sum(exp(target) * (target - own)) * factor;
}

Variable mse(const Variable& prediction, const Variable& target) {
  detail::require_same_dtype("mse", prediction.value(), target.value());
  if (prediction.shape() != target.shape())
    fail<ShapeError>("mse: prediction is ", prediction.shape(), " and target ", target.shape(),
                     ", expected equal shapes");
  const Variable difference = sub(prediction, target);
  return mean(mul(difference, difference));
}

}  // namespace bitgrad
