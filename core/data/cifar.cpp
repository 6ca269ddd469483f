#include <bitgrad/core/data/cifar.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>

namespace bitgrad::data {
namespace {

constexpr Index side = 32, channels = 3;
constexpr Index plane_bytes = side * side;
constexpr Index image_bytes = channels * plane_bytes;
constexpr Index record_bytes = 1 + image_bytes;

io::Bytes read_records(const io::Path& path) {
  io::Bytes bytes = io::read_file(path);
  if (bytes.empty() || bytes.size() % record_bytes != 0)
    fail<IoError>(path.string(), ": ", bytes.size(), " bytes, expected a positive multiple of ", record_bytes,
                  ", the size of a CIFAR-10 record (a label and 3 x 32 x 32 pixels)");
  return bytes;
}

/// Planes of channels to channels last.
void interleave(const std::byte* planes, std::uint8_t* pixels) {
  for (Index i = 0; i < plane_bytes; ++i)
    for (Index c = 0; c < channels; ++c) *pixels++ = std::to_integer<std::uint8_t>(planes[c * plane_bytes + i]);
}

bool is_training_batch(const std::string& name) { return name.starts_with("data_batch_") && name.ends_with(".bin"); }

}  // namespace

const std::vector<std::string>& cifar10_class_names() {
  static const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

Dataset read_cifar10_files(const std::vector<io::Path>& files) {
  std::vector<io::Bytes> contents;
  Index records = 0;
  for (const io::Path& file : files) {
    contents.push_back(read_records(file));
    records += static_cast<Index>(contents.back().size()) / record_bytes;
  }
  Dataset dataset{.images = Tensor({records, side, side, channels}, DType::uint8),
                  .labels = Tensor({records}, DType::int32),
                  .classes = static_cast<int>(cifar10_class_names().size()),
                  .class_names = cifar10_class_names()};
  std::uint8_t* images = dataset.images.data<std::uint8_t>();
  std::int32_t* labels = dataset.labels.data<std::int32_t>();
  for (std::size_t f = 0; f < files.size(); ++f) {
    const std::byte* record = contents[f].data();
    const Index count = static_cast<Index>(contents[f].size()) / record_bytes;
    for (Index i = 0; i < count; ++i, record += record_bytes, images += image_bytes) {
      *labels = std::to_integer<std::int32_t>(record[0]);
      if (*labels >= dataset.classes)
        fail<IoError>(files[f].string(), ": the label of record ", i, " is ", *labels, ", expected 0 to ",
                      dataset.classes - 1);
      ++labels;
      interleave(record + 1, images);
    }
  }
  return dataset;
}

Dataset read_cifar10(const io::Path& directory, Split split) {
  std::vector<io::Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (split == Split::train ? is_training_batch(name) : name == "test_batch.bin") files.push_back(entry.path());
  }
  if (files.empty())
    fail<IoError>("data set directory ", directory, " has no ",
                  split == Split::train ? "data_batch_*.bin" : "test_batch.bin");
  std::ranges::sort(files);
  return read_cifar10_files(files);
}

}  // namespace bitgrad::data
