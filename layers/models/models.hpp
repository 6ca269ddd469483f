// Reference models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/layers/model.hpp>

// Each takes the shape of one sample and the number of classes, and ends in logits. `width` multiplies filters and
// hidden units. The models are not built: call build(input_shape, seed). ShapeError names the layer that cannot take
// its input; ValueError for a width or a number of classes below 1.
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

/// The ResNet of CIFAR-10 with 20 layers: nine residual blocks of 16, 32 and 64 filters. He et al., "Deep residual
/// learning", CVPR 2016, section 4.2; where the size changes the shortcut is a 1x1 convolution (the paper's option B).
/// For 32x32x3 and 10 classes 272,474 parameters and 40.8 million multiplications.
Model resnet20(const Shape& input_shape, Index classes, Index width = 1);

/// The keyword spotter of MLPerf Tiny: four depthwise separable convolutions of 64 filters, for spectra of 49 frames
/// and 10 coefficients. Zhang et al., "Hello Edge", 2017; Banbury et al. as above. For 49x10x1 and 12 classes 23,756
/// parameters and 2.66 million multiplications.
Model ds_cnn(const Shape& input_shape, Index classes, Index width = 1);

/// MobileNet: thirteen depthwise separable convolutions. Howard et al., "MobileNets", 2017, table 1. `width` counts
/// quarters of the paper's width multiplier: 1 is the 0.25 of MLPerf Tiny's person detection, 4 the full network. For
/// 96x96x3 and 2 classes 213,586 parameters and 7.49 million multiplications.
Model mobilenet_v1(const Shape& input_shape, Index classes, Index width = 1);

/// The anomaly detector of MLPerf Tiny: dense layers of 128 units around a bottleneck of 8 that rebuild their input,
/// for samples of rank 1 (640 values). Banbury et al. as above. 267,928 parameters for 640 values. It has no classes
/// and is trained on its mean squared error, so that make() and the Trainer do not take it: see
/// examples/training_loop.cpp. ShapeError for samples of another rank, ValueError for a width below 1.
Model autoencoder(const Shape& input_shape, Index width = 1);

/// The names make() takes, in alphabetical order.
std::vector<std::string> names();
/// The shape of the samples that a model was made for: (32, 32, 3) for resnet8. ValueError as make().
Shape usual_input_shape(std::string_view name);
/// A model by name; `NAME:2` is twice as wide, `NAME:normalized` and `NAME:2:normalized` begin with a layer "normalize"
/// whose mean 0 and deviation 1, a number per channel, wait for those of a data set. `width` multiplies what the name
/// says. ValueError with the nearest name for an unknown one, for fewer than two classes or a width below 1.
Model make(std::string_view name, const Shape& input_shape, Index classes, Index width = 1);

/// What the layer "normalize" of such a model is to hold, for load_state_dict(): "normalize/mean" and
/// "normalize/deviation". Nothing for a model without one.
NamedTensors normalization_state(const Model& model, const data::ChannelStatistics& statistics);

}  // namespace bitgrad::models
