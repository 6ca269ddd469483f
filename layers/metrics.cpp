#include <bitgrad/layers/metrics.hpp>

#include <algorithm>
#include <cmath>

namespace bitgrad {

Tensor predictions(const Tensor& logits) {
  if (logits.rank() != 2 || logits.dtype() != DType::float32 || logits.dim(1) < 1)
    fail<ShapeError>("predictions: logits are ", logits.dtype(), " ", logits.shape(),
                     ", expected float32 (samples, classes)");
  const Index samples = logits.dim(0), classes = logits.dim(1);
  Tensor result({samples}, DType::int32);
  for (Index i = 0; i < samples; ++i) {
    const float* row = logits.data<float>() + i * classes;
    if (std::any_of(row, row + classes, [](float logit) { return std::isnan(logit); }))
      fail<ValueError>("predictions: a logit of sample ", i, " is NaN");
    result.data<std::int32_t>()[i] = static_cast<std::int32_t>(std::max_element(row, row + classes) - row);
  }
  return result;
}

Tensor confusion_matrix(const Tensor& logits, const Tensor& labels) {
  const Tensor predicted = predictions(logits);
  const Index classes = logits.dim(1);
  if (labels.dtype() != DType::int32 || labels.shape() != predicted.shape())
    fail<ShapeError>("labels are ", labels.dtype(), " ", labels.shape(), " for logits ", logits.shape(),
                     ", expected int32 ", predicted.shape());
  Tensor result = Tensor::zeros({classes, classes}, DType::int32);
  for (Index i = 0; i < labels.size(); ++i) {
    const Index label = labels.data<std::int32_t>()[i];
    if (label < 0 || label >= classes)
      fail<ValueError>("label ", label, " of sample ", i, ", expected 0 to ", classes - 1);
    ++result.data<std::int32_t>()[label * classes + predicted.data<std::int32_t>()[i]];
  }
  return result;
}

Index correct_count(const Tensor& logits, const Tensor& labels) {
  const Tensor confusion = confusion_matrix(logits, labels);
  Index result = 0;
  for (Index i = 0; i < confusion.dim(0); ++i) result += confusion.at<std::int32_t>({i, i});
  return result;
}

double accuracy(const Tensor& logits, const Tensor& labels) {
  const Index correct = correct_count(logits, labels);
  if (labels.size() == 0) fail<ShapeError>("accuracy: there are no samples");
  return static_cast<double>(correct) / static_cast<double>(labels.size());
}

}  // namespace bitgrad
