#include <bitgrad/core/data/cifar.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>

namespace bitgrad::data {
namespace {

constexpr Index side = 32, channels = 3;
constexpr Index plane_bytes = side * side;
constexpr Index image_bytes = channels * plane_bytes;
constexpr Index record_bytes = 1 + image_bytes;

/// The bytes of a file and its name in messages.
struct Records {
  std::string name;
  std::span<const std::byte> bytes;

  Index count() const { return static_cast<Index>(bytes.size()) / record_bytes; }
};

void require_whole_records(const Records& file) {
  if (file.bytes.empty() || file.bytes.size() % record_bytes != 0)
    fail<IoError>(file.name, ": ", file.bytes.size(), " bytes, expected a positive multiple of ", record_bytes,
                  ", the size of a CIFAR-10 record (a label and 3 x 32 x 32 pixels)");
}

/// Planes of channels to channels last.
void interleave(const std::byte* planes, std::uint8_t* pixels) {
  for (Index i = 0; i < plane_bytes; ++i)
    for (Index c = 0; c < channels; ++c) *pixels++ = std::to_integer<std::uint8_t>(planes[c * plane_bytes + i]);
}

Dataset parse(std::span<const Records> files) {
  Index records = 0;
  for (const Records& file : files) {
    require_whole_records(file);
    records += file.count();
  }
  Dataset dataset{.images = Tensor({records, side, side, channels}, DType::uint8),
                  .labels = Tensor({records}, DType::int32),
                  .classes = static_cast<int>(cifar10_class_names().size()),
                  .class_names = cifar10_class_names()};
  std::uint8_t* images = dataset.images.data<std::uint8_t>();
  std::int32_t* labels = dataset.labels.data<std::int32_t>();
  for (const Records& file : files) {
    const std::byte* record = file.bytes.data();
    for (Index i = 0; i < file.count(); ++i, record += record_bytes, images += image_bytes) {
      *labels = std::to_integer<std::int32_t>(record[0]);
      if (*labels >= dataset.classes)
        fail<IoError>(file.name, ": the label of record ", i, " is ", *labels, ", expected 0 to ", dataset.classes - 1);
      ++labels;
      interleave(record + 1, images);
    }
  }
  return dataset;
}

bool is_training_batch(const std::string& name) { return name.starts_with("data_batch_") && name.ends_with(".bin"); }

}  // namespace

const std::vector<std::string>& cifar10_class_names() {
  static const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

Dataset parse_cifar10(std::span<const std::byte> bytes, std::string_view what) {
  const Records file{std::string(what), bytes};
  return parse({&file, 1});
}

Dataset read_cifar10_files(const std::vector<io::Path>& files) {
  std::vector<io::Bytes> contents;
  std::vector<Records> records;
  for (const io::Path& file : files) {
    contents.push_back(io::read_file(file));
    records.push_back({file.string(), contents.back()});  // the bytes stay where they are when `contents` grows
  }
  return parse(records);
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
