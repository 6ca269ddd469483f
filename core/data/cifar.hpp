// The binary version of CIFAR-10.
// Specification: Krizhevsky, "The CIFAR-10 dataset", section "Binary version",
// https://www.cs.toronto.edu/~kriz/cifar.html
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// airplane, automobile, ..., truck: the names of labels 0 to 9.
const std::vector<std::string>& cifar10_class_names();

/// uint8 [N, 32, 32, 3] of a file's bytes, records of 3,073 bytes: the label, then a plane of 32 x 32 bytes each of
/// red, green and blue. Throws IoError that starts with `what`, the file's name, when their number is no multiple of
/// that or 0, or a label is above 9.
Dataset parse_cifar10(std::span<const std::byte> bytes, std::string_view what);

/// The records of several files, one behind the other. Throws as parse_cifar10() does, naming the file.
Dataset read_cifar10_files(const std::vector<io::Path>& files);

/// The split in a directory: its data_batch_*.bin in order of their names, or its test_batch.bin.
/// Throws IoError naming the directory when there are none, and as read_cifar10_files() does.
Dataset read_cifar10(const io::Path& directory, Split split);

}  // namespace bitgrad::data
