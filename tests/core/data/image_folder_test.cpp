#include <catch2/catch.hpp>

#include <algorithm>

#include <bitgrad/core/data/image_folder.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/zip.hpp>
#include <bitgrad/core/parallel.hpp>
#include "support/pictures.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::data;
using Catch::Contains;
using support::grey_png;
using support::png;
namespace fs = std::filesystem;

namespace {

/// The same files as a directory and as a zip archive.
class Sources {
 public:
  void add(const std::string& name, const std::vector<std::byte>& bytes) {
    fs::create_directories((directory_ / "split" / name).parent_path());
    io::write_file_atomically(directory_ / "split" / name, bytes);
    entries_.push_back({name, bytes});
  }
  void add_folder(const std::string& name) {
    fs::create_directories(directory_ / "split" / name);
    entries_.push_back({name + "/", {}});
  }
  fs::path folder() const { return directory_ / "split"; }
  fs::path zip() const {
    io::write_file_atomically(directory_ / "split.zip", io::format_zip(entries_));
    return directory_ / "split.zip";
  }
  void check_refused(const std::string& where_in_folder, const std::string& where_in_zip, const std::string& reason,
                     const std::vector<std::string>& classes = {}) const {
    CHECK_THROWS_WITH(read_image_folder(folder(), classes), folder().string() + where_in_folder + reason);
    CHECK_THROWS_WITH(read_image_folder(zip(), classes), zip().string() + where_in_zip + reason);
    CHECK_THROWS_AS(read_image_folder(folder(), classes), IoError);
  }

 private:
  support::TemporaryDirectory directory_;
  std::vector<io::ZipEntry> entries_;
};

std::vector<int> first_pixels(const Dataset& dataset) {
  std::vector<int> result;
  for (Index i = 0; i < dataset.size(); ++i) result.push_back(dataset.images.at<std::uint8_t>({i, 0, 0, 0}));
  return result;
}

std::vector<int> labels_of(const Dataset& dataset) {
  const auto labels = dataset.labels.span<std::int32_t>();
  return {labels.begin(), labels.end()};
}

}  // namespace

TEST_CASE(
    "image folders: classes by name, pictures by name with the classes in turn, from a directory and from a zip") {
  Sources sources;
  sources.add("dog/b.png", grey_png(2, 3, 12));
  sources.add("dog/a.PNG", grey_png(2, 3, 11));
  sources.add("cat/z.jpg", support::jpeg(2, 3, {21}));
  sources.add("cat/y.jpeg", support::jpeg(2, 3, {20}));
  sources.add("cat/x.png", grey_png(2, 3, 19));
  sources.add("emu/1.png", grey_png(2, 3, 31));
  sources.add(".hidden/1.png", support::bytes_of("no picture"));
  sources.add("emu/.thumbnails.db", support::bytes_of("no picture"));
  for (const fs::path& source : {sources.folder(), sources.zip()}) {
    INFO(source);
    CHECK(image_folder_classes(source) == std::vector<std::string>{"cat", "dog", "emu"});
    const Dataset dataset = read_image_folder(source);
    CHECK(dataset.images.shape() == Shape{6, 2, 3, 1});
    CHECK(dataset.class_names == std::vector<std::string>{"cat", "dog", "emu"});
    CHECK(labels_of(dataset) == std::vector<int>{0, 1, 2, 0, 1, 0});
    CHECK(first_pixels(dataset) == std::vector<int>{19, 11, 31, 20, 12, 21});
    check_dataset(dataset, "folders");
    // The classes of the training split, of which this one has some.
    const Dataset test = read_image_folder(source, {"ape", "cat", "dog", "emu"});
    CHECK(test.classes == 4);
    CHECK(labels_of(test) == std::vector<int>{1, 2, 3, 1, 2, 1});
    CHECK(class_counts(test) == std::vector<Index>{0, 3, 2, 1});
  }
}

TEST_CASE("image folders: the same data set for any number of threads") {
  Sources sources;
  for (int i = 0; i < 150; ++i)
    sources.add(std::string(i % 2 ? "odd/" : "even/") + std::to_string(1000 + i) + ".png",
                grey_png(4, 4, static_cast<std::uint8_t>(i)));
  const int before = num_threads();
  set_num_threads(1);
  const Dataset serial = read_image_folder(sources.folder());
  for (const int threads : {2, 3, 7}) {
    set_num_threads(threads);
    for (const fs::path& source : {sources.folder(), sources.zip()}) {
      const Dataset parallel = read_image_folder(source);
      CHECK(identical(parallel.images, serial.images));
      CHECK(identical(parallel.labels, serial.labels));
    }
  }
  set_num_threads(before);
}

TEST_CASE("image folders: damaged and unlike pictures are named with what was expected") {
  {
    Sources sources;
    sources.add("cat/1.png", grey_png(2, 3, 1));
    sources.add("dog/1.png", grey_png(3, 2, 1));
    CHECK_THROWS_WITH(read_image_folder(sources.folder()), (sources.folder() / "dog/1.png").string() +
                                                               ": shape (3, 2, 1), expected (2, 3, 1) as of " +
                                                               (sources.folder() / "cat/1.png").string());
    const std::string zip = sources.zip().string();
    CHECK_THROWS_WITH(
        read_image_folder(zip),
        zip + ": entry \"dog/1.png\": shape (3, 2, 1), expected (2, 3, 1) as of " + zip + ": entry \"cat/1.png\"");
  }
  {
    Sources sources;
    sources.add("cat/1.png", png(1, 1, {1, 2, 3}, {.color_type = 2}));
    sources.add("cat/2.png", grey_png(1, 1, 1));
    CHECK_THROWS_WITH(read_image_folder(sources.folder()), Contains("cat/2.png: shape (1, 1, 1), expected (1, 1, 3)"));
  }
  Sources sources;
  const auto whole = support::jpeg(16, 16, {7});
  sources.add("cat/1.jpg", whole);
  sources.add("cat/2.jpg", {whole.begin(), whole.end() - 12});
  CHECK_THROWS_WITH(read_image_folder(sources.folder()), Contains("cat/2.jpg: damaged or truncated JPEG: "));
  CHECK_THROWS_WITH(read_image_folder(sources.zip()),
                    Contains("split.zip: entry \"cat/2.jpg\": damaged or truncated JPEG: "));
}

TEST_CASE("image folders: what is out of place is named") {
  {
    Sources sources;
    sources.add("cat/1.png", grey_png(1, 1, 1));
    sources.add_folder("dog");
    sources.check_refused("", "", ": the class folder \"dog\" is empty, expected .png, .jpg or .jpeg pictures");
  }
  {
    Sources sources;
    sources.add("cat/1.gif", support::bytes_of("GIF"));
    sources.check_refused("/cat/1.gif", ": entry \"cat/1.gif\"",
                          ": not a picture, expected a name that ends with .png, .jpg or .jpeg");
  }
  {
    Sources sources;
    sources.add("cat/1.png", grey_png(1, 1, 1));
    sources.check_refused("", "",
                          ": unknown class \"cat\" (did you mean \"cats\"? known: cats, dogs), expected the classes of "
                          "the training split",
                          {"cats", "dogs"});
    sources.add("cat/more/2.png", grey_png(1, 1, 1));
    CHECK_THROWS_WITH(read_image_folder(sources.folder()),
                      Contains("cat/more: a folder in a class folder, expected pictures alone"));
    CHECK_THROWS_WITH(read_image_folder(sources.zip()),
                      Contains("entry \"cat/more/2.png\" is out of place, expected CLASS/PICTURE"));
  }
  {
    Sources sources;
    sources.add("1.png", grey_png(1, 1, 1));
    CHECK_THROWS_WITH(read_image_folder(sources.folder()),
                      Contains("1.png: a file beside the class folders, expected folders alone"));
    CHECK_THROWS_WITH(read_image_folder(sources.zip()),
                      Contains("entry \"1.png\" is out of place, expected CLASS/PICTURE"));
  }
  Sources none;
  none.add_folder(".");
  CHECK_THROWS_WITH(read_image_folder(none.folder()), Contains(": no folders, expected one for each class"));
  CHECK_THROWS_WITH(image_folder_classes(none.zip()), Contains(": no folders, expected one for each class"));
}
