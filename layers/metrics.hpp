// How good predictions are. Logits are float32 [samples, classes], labels int32 [samples].
#pragma once

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// The class of the largest logit, the first of equals: int32 [samples]. ShapeError for logits that are not a float32
/// matrix with at least one class, ValueError naming the first sample with a NaN.
Tensor predictions(const Tensor& logits);

/// Number of samples whose prediction is their label. ShapeError for labels of another shape or dtype, ValueError for a
/// label that is no class, naming it and its sample; else as predictions().
Index correct_count(const Tensor& logits, const Tensor& labels);

/// Share of samples whose prediction is their label, in [0, 1]; throws as correct_count() does, and ShapeError for no
/// samples.
double accuracy(const Tensor& logits, const Tensor& labels);

/// int32 [classes, classes]: how many samples of class `row` were predicted as class `column`. Throws as predictions(),
/// and as correct_count() for labels.
Tensor confusion_matrix(const Tensor& logits, const Tensor& labels);

}  // namespace bitgrad
