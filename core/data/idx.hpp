// The IDX format of MNIST and its successors, plain or gzip.
// Specification: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// The uint8 tensor of a file's (unpacked) bytes. Strict: magic number, element type 0x08 (unsigned byte), 1 to
/// Shape::max_rank axes, and exactly as many bytes as they need. Throws IoError that starts with `what`, the file's
/// name.
Tensor parse_idx(std::span<const std::byte> bytes, std::string_view what);

/// parse_idx() of a file, unpacked first when it is gzip, whatever its name. Throws IoError with the path.
Tensor read_idx(const io::Path& path);

/// A file of images, [N, H, W] (one channel) or [N, H, W, C], and one of labels, [N]. Throws IoError naming both files
/// when they are something else or their counts differ, and naming the file of labels when one is not below `classes`;
/// classes = 0 means the largest label + 1.
Dataset read_idx_dataset(const io::Path& images, const io::Path& labels, int classes = 0);

/// The split in a directory: train-images-idx3-ubyte and train-labels-idx1-ubyte, or t10k-..., each plain or with .gz.
/// classes = 0 means those of the training labels. Throws IoError naming the files that are missing, and as
/// read_idx_dataset() does.
Dataset read_idx_directory(const io::Path& directory, Split split, int classes = 0);

}  // namespace bitgrad::data
