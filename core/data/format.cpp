#include <bitgrad/core/data/format.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

#include <bitgrad/core/data/cifar.hpp>
#include <bitgrad/core/data/detail/class_folders.hpp>
#include <bitgrad/core/data/hold_out.hpp>
#include <bitgrad/core/data/idx.hpp>
#include <bitgrad/core/data/image_folder.hpp>
#include <bitgrad/core/data/npz.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::data {
namespace {

namespace fs = std::filesystem;
using io::Path;

struct FormatInfo {
  Format format;
  std::string_view name, files, test_file;
  /// Whether a file or directory of this name belongs to the split of a data set in this format.
  bool (*is_part)(const std::string& name, bool directory, Split split);
};

std::string split_name(Split split) { return std::string(name_of(split)); }

constexpr FormatInfo directory_formats[] = {
    {Format::idx, "IDX", "IDX files (train-images-idx3-ubyte.gz and so on)", "t10k-images-idx3-ubyte",
     [](const std::string& name, bool, Split split) {
       const std::string prefix = split == Split::train ? "train" : "t10k";
       return name.starts_with(prefix + "-images-idx3-ubyte") || name.starts_with(prefix + "-labels-idx1-ubyte");
     }},
    {Format::cifar10, "CIFAR-10 binary", "data_batch_*.bin and test_batch.bin", "test_batch.bin",
     [](const std::string& name, bool, Split split) {
       return name.ends_with(".bin") && name.starts_with(split == Split::train ? "data_batch_" : "test_batch");
     }},
    {Format::folders, "image folders", "the folders train and test with a folder of pictures per class", "test",
     [](const std::string& name, bool directory, Split split) { return directory && name == name_of(split); }},
    {Format::zips, "zipped image folders", "train.zip and test.zip with the same", "test.zip",
     [](const std::string& name, bool, Split split) { return name == split_name(split) + ".zip"; }}};

bool has_files(const FormatInfo& info, const Path& directory, Split split) {
  return std::ranges::any_of(fs::directory_iterator(directory), [&](const fs::directory_entry& entry) {
    return info.is_part(entry.path().filename().string(), entry.is_directory(), split);
  });
}

const FormatInfo& info_of(Format format) { return *std::ranges::find(directory_formats, format, &FormatInfo::format); }

Path part_of(const Path& directory, Format format, Split split) {
  return directory / (split_name(split) + (format == Format::zips ? ".zip" : ""));
}

Dataset read_pictures(const Path& directory, Format format, Split split) {
  const Path train = part_of(directory, format, Split::train);
  if (!has_files(info_of(format), directory, Split::train))
    fail<IoError>("data set directory ", directory, " has no ", train.filename().string(), ", the train split of ",
                  name_of(format));
  if (split == Split::train) return read_image_folder(train);
  return read_image_folder(part_of(directory, format, split), image_folder_classes(train));
}

bool has_no_test_split(Format format) { return format == Format::class_folders || format == Format::class_zip; }

/// For training images alone, the way out. Of npz, its reader knows.
void require_test_images(const Path& path, Format format) {
  if (has_no_test_split(format))
    fail<IoError>("data set ", path, " has no test split, ", name_of(format), " are training images alone; ",
                  hold_out_advice);
  if (format == Format::npz || has_split(path, Split::test) || !has_split(path, Split::train)) return;
  fail<IoError>("data set directory ", path, " has no ", info_of(format).test_file, ", the test split of ",
                name_of(format), "; ", hold_out_advice);
}

Format format_of_file(const Path& path) {
  if (path.extension() == ".npz") return Format::npz;
  if (path.extension() == ".zip") return Format::class_zip;
  fail<IoError>("data set path ", path, " is a file whose name ends with neither .npz nor .zip, expected ",
                known_formats());
}

}  // namespace

std::string_view name_of(Format format) {
  switch (format) {
    case Format::class_folders: return "class folders";
    case Format::class_zip: return "zipped class folders";
    case Format::npz: return "npz";
    default: return info_of(format).name;
  }
}

std::string known_formats() {
  std::string text = "a directory with ";
  for (const FormatInfo& info : directory_formats) text += std::string(info.files) + ", or ";
  return text +
         "a folder of pictures per class (training images alone), or a file NAME.zip with the same, or NAME.npz with "
         "x_train, y_train, x_test and y_test";
}

Format detect_format(const Path& path) {
  if (!fs::exists(path)) fail<IoError>("data set path ", path, " does not exist");
  if (!fs::is_directory(path)) return format_of_file(path);
  std::vector<Format> found;
  for (const FormatInfo& info : directory_formats)
    if (has_files(info, path, Split::train) || has_files(info, path, Split::test)) found.push_back(info.format);
  if (found.empty() && has_class_folders(path)) return Format::class_folders;
  if (found.empty()) fail<IoError>("data set directory ", path, " holds no data set, expected ", known_formats());
  if (found.size() > 1)
    fail<IoError>("data set directory ", path, " holds two data sets, ", name_of(found[0]), " and ", name_of(found[1]),
                  ", expected files of one");
  return found.front();
}

bool has_split(const Path& path, Split split) {
  const Format format = detect_format(path);
  if (has_no_test_split(format)) return split == Split::train;
  return format == Format::npz ? npz_has_split(path, split) : has_files(info_of(format), path, split);
}

Dataset read_dataset(const Path& path, Split split, int classes) {
  const Format format = detect_format(path);
  if (split == Split::test) require_test_images(path, format);
  switch (format) {
    case Format::idx: return read_idx_directory(path, split, classes);
    case Format::cifar10: return read_cifar10(path, split);
    case Format::folders:
    case Format::zips: return read_pictures(path, format, split);
    case Format::class_folders:
    case Format::class_zip: return read_image_folder(path);
    case Format::npz: return read_npz_dataset(path, split);
  }
  fail<InternalError>("read_dataset: unknown format");
}

}  // namespace bitgrad::data
