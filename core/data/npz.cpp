#include <bitgrad/core/data/npz.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <bitgrad/core/data/hold_out.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>

namespace bitgrad::data {
namespace {

/// Labels are below: what follows a data set, a model's head say, has a number for each class.
constexpr std::int32_t most_classes = 1 << 16;

class NpzDataset {
 public:
  NpzDataset(std::span<const std::byte> bytes, std::string_view what)
      : what_(what), entries_(io::parse_npz_entries(bytes, what)) {}

  Dataset read(Split split) const {
    const std::string of = std::string(name_of(split));
    if (split == Split::test) require_test_images();
    Dataset dataset{
        .images = images("x_" + of), .labels = labels("y_" + of), .classes = classes(), .class_names = class_names()};
    if (has("class_names")) name_classes(dataset);
    if (dataset.images.dim(0) != dataset.size())
      fail<IoError>(what_, ": ", dataset.images.dim(0), " images in x_", of, " but ", dataset.size(), " labels in y_",
                    of);
    require_labels(message("y_", of), dataset.labels, dataset.classes);
    return dataset;
  }

 private:
  const io::ZipEntry* find(std::string_view name) const {
    const auto found = std::ranges::find(entries_, name, &io::ZipEntry::name);
    return found == entries_.end() ? nullptr : &*found;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// For training images alone, the way out.
  void require_test_images() const {
    if (has("x_train") && !has("x_test"))
      fail<IoError>(what_, ": no array \"x_test\", the test split; ", hold_out_advice);
  }

  Tensor array(const std::string& name) const {
    if (const io::ZipEntry* found = find(name)) return io::parse_npy(found->content, io::npz_entry(what_, name));
    std::string names;
    for (const io::ZipEntry& each : entries_) names += (names.empty() ? "" : ", ") + each.name;
    fail<IoError>(what_, ": no array \"", name, "\", expected x_train, y_train, x_test and y_test; it holds ",
                  names.empty() ? "nothing" : names);
  }

  Tensor images(const std::string& name) const {
    Tensor result = array(name);
    if (result.dtype() != DType::uint8 || (result.rank() != 3 && result.rank() != 4))
      fail<IoError>(what_, ": ", name, " is ", result.dtype(), ' ', result.shape(),
                    ", expected uint8 [N, H, W] or [N, H, W, C]");
    const Shape shape = result.shape();
    return shape.rank() == 3 ? result.reshape({shape[0], shape[1], shape[2], 1}) : result;
  }

  Tensor labels(const std::string& name) const {
    const Tensor found = array(name);
    const bool whole = found.dtype() != DType::float32 && found.dtype() != DType::float64;
    if (!whole || !(found.rank() == 1 || (found.rank() == 2 && found.dim(1) == 1)))
      fail<IoError>(what_, ": ", name, " is ", found.dtype(), ' ', found.shape(),
                    ", expected whole numbers [N] or [N, 1]");
    return found.to(DType::int32).reshape({found.dim(0)});
  }

  int classes() const {
    const Tensor training = labels("y_train");
    const auto values = training.span<std::int32_t>();
    require_labels("y_train", training, most_classes);
    return values.empty() ? 1 : *std::ranges::max_element(values) + 1;
  }

  std::vector<std::string> class_names() const {
    const io::ZipEntry* found = find("class_names");
    if (found == nullptr) return {};
    return io::parse_npy_strings(found->content, io::npz_entry(what_, found->name), most_classes);
  }

  /// Classes without a training image may have a name, too.
  void name_classes(Dataset& dataset) const {
    const auto names = static_cast<int>(dataset.class_names.size());
    if (names < dataset.classes)
      fail<IoError>(what_, ": class_names has ", names, " names, expected at least ", dataset.classes,
                    ", one for every label of y_train");
    for (const std::string& name : dataset.class_names)
      if (std::ranges::count(dataset.class_names, name) > 1)
        fail<IoError>(what_, ": class_names has \"", name, "\" more than once, expected a name for each class");
    dataset.classes = names;
  }

  void require_labels(const std::string& name, const Tensor& labels, std::int32_t classes) const {
    const auto values = labels.span<std::int32_t>();
    const auto bad = std::ranges::find_if(values, [&](std::int32_t label) { return label < 0 || label >= classes; });
    if (bad != values.end())
      fail<IoError>(what_, ": label ", bad - values.begin(), " of ", name, " is ", *bad, ", expected 0 to ",
                    classes - 1);
  }

  std::string_view what_;
  std::vector<io::ZipEntry> entries_;
};

}  // namespace

Dataset parse_npz_dataset(std::span<const std::byte> bytes, std::string_view what, Split split) {
  return NpzDataset(bytes, what).read(split);
}

Dataset read_npz_dataset(const io::Path& path, Split split) {
  return parse_npz_dataset(io::read_file(path), path.string(), split);
}

bool npz_has_split(const io::Path& path, Split split) {
  const std::vector<std::string> entries = io::list_zip(io::read_file(path), path.string());
  return std::ranges::find(entries, message("x_", name_of(split), ".npy")) != entries.end();
}

}  // namespace bitgrad::data
