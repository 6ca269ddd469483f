#include <bitgrad/core/data/find.hpp>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <bitgrad/core/data/cifar.hpp>
#include <bitgrad/core/data/format.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::data {
namespace {

namespace fs = std::filesystem;
using io::Path;

struct KnownDataset {
  std::string name;
  std::vector<std::string> class_names;
  std::string how_to_get;
};

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> known{
      {"fashion-mnist",
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
       "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or put its four IDX "
       "files"},
      {"mnist",
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
       "put the four IDX files of the MNIST database (train-images-idx3-ubyte.gz and so on)"},
      {"cifar10", cifar10_class_names(),
       "put the six .bin files of CIFAR-10's binary version (data_batch_1.bin and so on), or train.zip and test.zip "
       "with a folder of pictures per class,"}};
  return known;
}

const KnownDataset* find_known(const std::string& name) {
  const auto found = std::ranges::find(known_datasets(), name, &KnownDataset::name);
  return found == known_datasets().end() ? nullptr : &*found;
}

/// The value of an environment variable; empty when it is not set.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// A directory to look in, or the reason why there is none.
struct Place {
  Path directory;
  std::string remark;
};

Place cache_place() {
  const std::string cache = environment("XDG_CACHE_HOME"), home = environment("HOME");
  if (Path(cache).is_absolute()) return {Path(cache) / "bitgrad", ""};  // the XDG specification: ignore relative ones
  if (!home.empty()) return {Path(home) / ".cache" / "bitgrad", ""};
  return {{}, "~/.cache/bitgrad (HOME is not set)"};
}

std::vector<Place> places() {
  const std::string chosen = environment("BITGRAD_DATA_DIR");
  return {chosen.empty() ? Place{{}, "$BITGRAD_DATA_DIR (not set)"} : Place{chosen, ""},
          cache_place(),
          {"/usr/share/datasets", ""}};
}

bool directory_exists(const Path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

Path find_known_dataset(const KnownDataset& known) {
  std::string searched;
  for (const Place& place : places()) {
    const Path directory = place.directory / known.name;
    if (!place.directory.empty() && directory_exists(directory)) return directory;
    searched += "\n  " + (place.directory.empty() ? place.remark : directory.string());
  }
  fail<IoError>(
      "data set \"", known.name, "\" was not found; looked for the directories:", searched, "\nTo get it, ",
      known.how_to_get,
      " into one of these directories, or give --data the path of that directory. bitgrad downloads nothing.");
}

/// The classes of a known data set, which its files must not contradict.
void name_classes(const KnownDataset& known, Dataset& dataset) {
  const auto expected = static_cast<int>(known.class_names.size());
  if (dataset.classes != expected)
    fail<IoError>("data set ", known.name, ": ", dataset.classes, " classes, expected ", expected);
  if (dataset.class_names.empty()) dataset.class_names = known.class_names;
}

}  // namespace

Path find_dataset(const std::string& name_or_path) {
  if (const KnownDataset* known = find_known(name_or_path)) return find_known_dataset(*known);
  std::error_code ignored;
  if (fs::exists(name_or_path, ignored)) return name_or_path;
  if (name_or_path.find('/') != std::string::npos)
    fail<IoError>("data set path ", Path(name_or_path), " does not exist, expected ", known_formats());
  std::vector<std::string> names;
  for (const KnownDataset& known : known_datasets()) names.push_back(known.name);
  throw ValueError(unknown_name("data set", name_or_path, names) + "; nor is there a directory or file of that name");
}

Dataset load_dataset(const std::string& name_or_path, Split split) {
  const KnownDataset* known = find_known(name_or_path);
  const int classes = known != nullptr ? static_cast<int>(known->class_names.size()) : 0;
  Dataset dataset = read_dataset(find_dataset(name_or_path), split, classes);
  if (known != nullptr) name_classes(*known, dataset);
  return dataset;
}

}  // namespace bitgrad::data
