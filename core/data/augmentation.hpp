// Random changes to training images, drawn anew in every epoch.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/random.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::data {

/// One image on its way into a batch: float32 [height, width, channels] in [0, 1], to be changed in place.
struct ImageView {
  float* pixels;
  Index height, width, channels;

  Index size() const { return height * width * channels; }
  /// The channels of a pixel.
  float* at(Index y, Index x) const { return pixels + (y * width + x) * channels; }
};

/// Changes an image at random. It is called for several images at a time, on several threads, so it must not keep
/// anything between calls and must draw from `random` alone, which belongs to this image in this epoch: results then
/// depend neither on threads nor on the batch size nor on the order of images. What it throws ends the training. An
/// empty function changes nothing.
using Augmentation = std::function<void(const ImageView& image, Random& random)>;

/// Mirrors left and right, every other time.
Augmentation flip();

/// Moves by up to `pixels` in each direction, a whole number drawn for each axis; the edge is repeated where nothing
/// was.
Augmentation shift(Index pixels);

/// Puts a black frame of `padding` pixels around the image and cuts its size out at a random place, as for CIFAR in He,
/// Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2.
Augmentation crop(Index padding);

/// Turns around the middle by up to `degrees` either way (0 < degrees <= 180), with bilinear interpolation; what comes
/// in is black.
Augmentation rotate(double degrees);

/// Blackens a square of `size` pixels around a random pixel; parts outside of the image are cut off: DeVries, Taylor,
/// "Improved Regularization of Convolutional Neural Networks with Cutout" (2017).
Augmentation cutout(Index size);

/// One after the other; empty ones are left out.
Augmentation in_sequence(std::vector<Augmentation> steps);

/// The augmentation of a text such as "flip,shift:4,cutout:8": names with their numbers, applied from left to right;
/// "none" is the empty one. Throws ValueError that names the step and what was expected, with the nearest name for an
/// unknown one. Numbers that images are too small for are refused with the first image: ValueError naming both.
Augmentation parse_augmentation(std::string_view spec);

/// "flip", "shift:N", ... with a sentence each, one to a line, for help texts.
std::string describe_augmentations();

}  // namespace bitgrad::data
