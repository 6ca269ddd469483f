// A small data set that a net can learn in a few steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/random.hpp>
#include "support/idx.hpp"

namespace support {

/// Noise with a bright quarter whose place is the class: four classes, `size` x `size` pixels.
inline bitgrad::data::Dataset tiny_dataset(int count = 256, int size = 8, std::uint64_t seed = 1) {
  bitgrad::Random random(seed);
  bitgrad::data::Dataset dataset{.images = bitgrad::Tensor({count, size, size, 1}, bitgrad::DType::uint8),
                                 .labels = bitgrad::Tensor({count}, bitgrad::DType::int32),
                                 .classes = 4,
                                 .class_names = {}};
  std::uint8_t* pixel = dataset.images.data<std::uint8_t>();
  for (int i = 0; i < count; ++i) {
    const int label = i < 4 ? i : static_cast<int>(random.below(4));
    dataset.labels.data<std::int32_t>()[i] = label;
    const int top = label / 2 * size / 2, left = label % 2 * size / 2;
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        const bool bright = y >= top && y < top + size / 2 && x >= left && x < left + size / 2;
        *pixel++ = static_cast<std::uint8_t>(random.below(150) + (bright ? 80 : 0));
      }
  }
  return dataset;
}

/// Under the names of MNIST's files.
inline void write_split(const std::filesystem::path& directory, const std::string& prefix,
                        const bitgrad::data::Dataset& dataset) {
  const auto extent = [&](int axis) { return static_cast<std::uint32_t>(dataset.images.dim(axis)); };
  const auto pixels = dataset.images.span<std::uint8_t>();
  const auto labels = dataset.labels.span<std::int32_t>();
  const auto write = [&](const std::string& name, const std::vector<std::byte>& bytes) {
    bitgrad::io::write_file_atomically(directory / (prefix + name), bytes);
  };
  write("-images-idx3-ubyte", idx({extent(0), extent(1), extent(2)}, {pixels.begin(), pixels.end()}));
  write("-labels-idx1-ubyte", idx({extent(0)}, {labels.begin(), labels.end()}));
}

/// The four files of a data set in `directory`, which is created.
inline void write_tiny_data(const std::filesystem::path& directory, int training = 256, int testing = 64,
                            int size = 8) {
  std::filesystem::create_directories(directory);
  write_split(directory, "train", tiny_dataset(training, size, 1));
  write_split(directory, "t10k", tiny_dataset(testing, size, 2));
}

}  // namespace support
