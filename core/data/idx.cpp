#include <bitgrad/core/data/idx.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/gzip.hpp>

namespace bitgrad::data {
namespace {

constexpr std::size_t magic_bytes = 4;   // 0, 0, element type, number of axes
constexpr std::size_t extent_bytes = 4;  // big-endian
constexpr int unsigned_byte = 0x08;

Shape parse_shape(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.size() < magic_bytes)
    fail<IoError>(what, ": truncated: an IDX file has at least 4 bytes, this one ", bytes.size());
  const int type = std::to_integer<int>(bytes[2]), rank = std::to_integer<int>(bytes[3]);
  if (bytes[0] != std::byte{0} || bytes[1] != std::byte{0})
    fail<IoError>(what, ": wrong magic number: no IDX file, it does not start with two zero bytes");
  if (type != unsigned_byte)
    fail<IoError>(what, ": wrong magic number: IDX element type is ", type, ", expected 8 (unsigned byte)");
  if (rank < 1 || rank > Shape::max_rank)
    fail<IoError>(what, ": wrong magic number: IDX file with ", rank, " axes, expected 1 to ", Shape::max_rank);
  const std::size_t header = magic_bytes + extent_bytes * static_cast<std::size_t>(rank);
  if (bytes.size() < header)
    fail<IoError>(what, ": truncated: the IDX header for ", rank, " axes has ", header, " bytes, the file ",
                  bytes.size());
  std::vector<Index> extents;
  for (std::size_t at = magic_bytes; at < header; at += extent_bytes)
    extents.push_back(io::get_big_endian<std::uint32_t>(bytes, at));
  try {
    return Shape(extents);
  } catch (const ShapeError& error) {
    fail<IoError>(what, ": ", error.what());
  }
}

Tensor widen_labels(const Tensor& labels) { return labels.to(DType::int32); }

/// The plain file when both are there.
io::Path plain_or_gzip(const io::Path& directory, const std::string& name) {
  for (const io::Path& path : {directory / name, directory / (name + ".gz")}) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return path;
  }
  fail<IoError>("data set directory ", directory, " has neither ", name, " nor ", name, ".gz");
}

}  // namespace

Tensor parse_idx(std::span<const std::byte> bytes, std::string_view what) {
  const Shape shape = parse_shape(bytes, what);
  const auto data = bytes.subspan(magic_bytes + extent_bytes * static_cast<std::size_t>(shape.rank()));
  const auto needed = static_cast<std::size_t>(shape.size());
  if (data.size() < needed)
    fail<IoError>(what, ": truncated: shape ", shape, " needs ", needed, " bytes, ", data.size(), " are there");
  if (data.size() > needed)
    fail<IoError>(what, ": ", data.size() - needed, " bytes follow the ", needed, " that shape ", shape, " needs");
  Tensor result(shape, DType::uint8);
  std::memcpy(result.bytes(), data.data(), needed);
  return result;
}

Tensor read_idx(const io::Path& path) { return parse_idx(io::read_gzip_or_plain(path), path.string()); }

Dataset read_idx_dataset(const io::Path& images_path, const io::Path& labels_path, int classes) {
  Dataset dataset;
  dataset.images = read_idx(images_path);
  dataset.labels = widen_labels(read_idx(labels_path));
  if (dataset.images.rank() == 3) {
    const Shape shape = dataset.images.shape();
    dataset.images = dataset.images.reshape({shape[0], shape[1], shape[2], 1});
  }
  if (dataset.images.rank() != 4)
    fail<IoError>(images_path.string(), ": shape ", dataset.images.shape(),
                  ", expected images [N, H, W] or [N, H, W, C]");
  if (dataset.labels.rank() != 1)
    fail<IoError>(labels_path.string(), ": shape ", dataset.labels.shape(), ", expected labels [N]");
  if (dataset.images.dim(0) != dataset.labels.dim(0))
    fail<IoError>(dataset.images.dim(0), " images in ", images_path.string(), " but ", dataset.labels.dim(0),
                  " labels in ", labels_path.string());
  const auto labels = dataset.labels.span<std::int32_t>();
  const std::int32_t largest = labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end());
  dataset.classes = classes > 0 ? classes : largest + 1;
  if (largest >= dataset.classes) {
    const auto at =
        std::find_if(labels.begin(), labels.end(), [&](std::int32_t label) { return label >= dataset.classes; });
    fail<IoError>(labels_path.string(), ": label ", at - labels.begin(), " is ", *at, ", expected 0 to ",
                  dataset.classes - 1);
  }
  return dataset;
}

Dataset read_idx_directory(const io::Path& directory, Split split, int classes) {
  const auto labels = [&](const std::string& of) { return plain_or_gzip(directory, of + "-labels-idx1-ubyte"); };
  const std::string prefix = split == Split::train ? "train" : "t10k";
  if (classes == 0 && split == Split::test) {
    // The test labels alone may lack a class; the number must be that of the training split.
    const Tensor training = read_idx(labels("train"));
    const auto values = training.span<std::uint8_t>();
    classes = values.empty() ? 1 : *std::ranges::max_element(values) + 1;
  }
  return read_idx_dataset(plain_or_gzip(directory, prefix + "-images-idx3-ubyte"), labels(prefix), classes);
}

}  // namespace bitgrad::data
