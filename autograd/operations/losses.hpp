// Losses: a scalar to be minimised.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// Mean over the batch of the cross entropy between softmax(logits [N, K]) and the labels (int32 [N], 0 to K - 1) →
/// scalar. With label_smoothing s in [0, 1) the target is 1 - s + s/K at the label and s/K elsewhere: Szegedy et al.,
/// "Rethinking the Inception architecture", 2016, section 7. Throws ShapeError for shapes or dtypes that do not fit and
/// for an empty batch, ValueError for a label out of range, naming it, and for a smoothing out of range.
Variable cross_entropy(const Variable& logits, const Tensor& labels, double label_smoothing = 0.0);

/// The same for targets that are shares of the classes (float32 or float64 [N, K], the dtype of the logits): of mixed
/// images, or a teacher's probabilities. With label_smoothing s they are (1 - s) * target + s / K. No gradient reaches
/// the targets. Throws likewise, ValueError naming the row whose shares are negative or do not add up to 1 within 1e-4.
Variable soft_cross_entropy(const Variable& logits, const Tensor& targets, double label_smoothing = 0.0);

/// Mean over the batch of T^2 KL(softmax(teacher / T) || softmax(logits / T)) → scalar, for logits [N, K] of a student
/// and of its teacher (float32, the same shape): Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network",
/// 2015, section 2, with its factor T^2, so that gradients keep their size. Zero where both agree; no gradient reaches
/// the teacher. Throws ShapeError for shapes that differ or no samples, ValueError unless the temperature is finite and
/// positive.
Variable distillation(const Variable& logits, const Tensor& teacher, double temperature);

/// Mean over all elements of (prediction - target)^2 → scalar. The shapes must be equal: broadcasting here is nearly
/// always a mistake. Throws ShapeError otherwise and for no elements.
Variable mse(const Variable& prediction, const Variable& target);

}  // namespace bitgrad
