// Reference models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/layers/model.hpp>

// Each takes the shape of one sample and the number of classes, and ends in logits. `width` multiplies filters and
// hidden units. The models are not built: call build(input_shape, seed). ShapeError names the layer that cannot take
// its input.
namespace bitgrad::models {

/// Two hidden layers of 128 and 64 units with ReLU, for samples of any shape. 109,386 parameters for 28x28x1 and 10
/// classes.
Model mlp(const Shape& input_shape, Index classes, Index width = 1);

/// LeNet-5 with ReLU and max pooling: two 5x5 convolutions of 6 and 16 filters, three dense layers. LeCun, Bottou,
/// Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 1998, figure 2. 61,706
/// parameters and 417 thousand multiplications for 28x28x1 and 10 classes.
Model lenet5(const Shape& input_shape, Index classes, Index width = 1);

/// Three rounds of 3x3 convolution, batch normalisation, ReLU and max pooling with 16, 32 and 64 filters, then a hidden
/// dense layer of 96 units, with dropout. 79,770 parameters and 1.98 million multiplications for 28x28x1 and 10
/// classes.
Model fashion_cnn(const Shape& input_shape, Index classes, Index width = 1);

/// The image classifier of MLPerf Tiny: a first convolution and three residual stacks of 16, 32 and 64 filters. Banbury
/// et al., "MLPerf Tiny Benchmark", NeurIPS 2021. For 32x32x3 and 10 classes 78,186 parameters, 77,706 once batch
/// normalisation is folded, and 12.5 million multiplications.
Model resnet8(const Shape& input_shape, Index classes, Index width = 1);

/// The names make() takes, in alphabetical order.
std::vector<std::string> names();
/// The shape of the samples that a model was made for: (32, 32, 3) for resnet8. ValueError as make().
Shape usual_input_shape(std::string_view name);
/// A model by name; ValueError with the nearest name for an unknown one, for fewer than two classes or a width below 1.
Model make(std::string_view name, const Shape& input_shape, Index classes, Index width = 1);

}  // namespace bitgrad::models
