// Batch normalisation: Ioffe and Szegedy, "Batch normalization", ICML 2015. Layer normalisation: Ba, Kiros and Hinton,
// "Layer normalization", 2016.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// Of the channels (the last axis) over all other axes.
struct BatchStatistics {
  Tensor mean;      ///< [C]
  Tensor variance;  ///< [C], biased: divided by the number of elements per channel
};

/// Throws ShapeError when x has no channels or fewer than two values of each.
BatchStatistics batch_statistics(const Variable& x);

/// The result, and the statistics of this batch for a layer's running averages.
struct BatchNormResult {
  Variable y;
  Tensor mean;  ///< see BatchStatistics
  Tensor variance;
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta (algorithm 1), mean and variance over all axes but the
/// last. x [..., C], gamma and beta [C]. The gradient goes through the statistics as well. Throws ShapeError when
/// shapes do not fit or there are fewer than two values per channel, ValueError unless epsilon > 0.
BatchNormResult batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon = 1e-5);
/// The same y with the statistics that were taken of this x. Throws likewise.
Variable batch_norm(const Variable& x, const BatchStatistics& statistics, const Variable& gamma, const Variable& beta,
                    double epsilon);

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and (biased) variance of each row over the last axis,
/// summed in double: a sample does not depend on its batch. x [..., C], gamma and beta [C]. The gradient goes through
/// mean and variance as well. Throws ShapeError when shapes do not fit or C is 0, ValueError unless epsilon > 0.
Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon = 1e-3);

}  // namespace bitgrad
