// How good predictions are. Logits are float32 [samples, classes], labels int32 [samples].
#pragma once

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// The class of the largest logit, the first of equals: int32 [samples]. ShapeError for logits that are not a float32
/// matrix with at least one class, ValueError naming the first sample with a NaN.
Tensor predictions(const Tensor& logits);

/// Number of samples whose prediction is their label. ShapeError when the shapes do not fit, ValueError for a label
/// that is no class.
Index correct_count(const Tensor& logits, const Tensor& labels);

/// Share of samples whose prediction is their label, in [0, 1]; throws as correct_count() does, and ShapeError for no
/// samples.
double accuracy(const Tensor& logits, const Tensor& labels);

/// int32 [classes, classes]: how many samples of class `row` were predicted as class `column`.
Tensor confusion_matrix(const Tensor& logits, const Tensor& labels);

}  // namespace bitgrad
