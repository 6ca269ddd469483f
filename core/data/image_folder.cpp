#include <bitgrad/core/data/image_folder.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include <bitgrad/core/data/detail/class_folders.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/image.hpp>
#include <bitgrad/core/io/zip.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::data {
namespace {

namespace fs = std::filesystem;
using io::Path;

constexpr Index pictures_per_chunk = 32;

bool is_archive(const Path& source) { return !fs::is_directory(source); }

/// CLASS/NAME and the label.
using Picture = std::pair<std::string, std::int32_t>;

std::vector<Picture> classes_in_turn(const ClassFolders& folders, const std::vector<std::string>& classes,
                                     std::string_view source) {
  std::vector<Picture> result;
  std::size_t most = 0;
  for (const auto& [name, pictures] : folders) {
    most = std::max(most, pictures.size());
    if (std::ranges::find(classes, name) == classes.end())
      fail<IoError>(source, ": ", unknown_name("class", name, classes), ", expected the classes of the training split");
  }
  for (std::size_t turn = 0; turn < most; ++turn)
    for (std::size_t label = 0; label < classes.size(); ++label) {
      const auto folder = folders.find(classes[label]);
      if (folder != folders.end() && turn < folder->second.size())
        result.emplace_back(classes[label] + '/' + folder->second[turn], static_cast<std::int32_t>(label));
    }
  return result;
}

/// `decode(CLASS/NAME)` and `describe(CLASS/NAME)`, its place in messages, may run in parallel.
struct PictureSource {
  std::function<Tensor(const std::string&)> decode;
  std::function<std::string(const std::string&)> describe;

  void require_shape(const std::string& name, const Tensor& picture, const Shape& shape,
                     const std::string& first) const {
    if (picture.shape() != shape)
      fail<IoError>(describe(name), ": shape ", picture.shape(), ", expected ", shape, " as of ", describe(first));
  }
};

Dataset decode_all(const std::vector<Picture>& pictures, const std::vector<std::string>& classes,
                   const PictureSource& source) {
  const auto count = static_cast<Index>(pictures.size());
  const Shape shape = source.decode(pictures.front().first).shape();
  Dataset dataset{.images = Tensor(shape.prepended(count), DType::uint8),
                  .labels = Tensor({count}, DType::int32),
                  .classes = static_cast<int>(classes.size()),
                  .class_names = classes};
  std::uint8_t* images = dataset.images.data<std::uint8_t>();
  std::int32_t* labels = dataset.labels.data<std::int32_t>();
  parallel_for(count, pictures_per_chunk, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const auto& [name, label] = pictures[static_cast<std::size_t>(i)];
      const Tensor picture = source.decode(name);
      source.require_shape(name, picture, shape, pictures.front().first);
      std::memcpy(images + i * shape.size(), picture.bytes(), picture.byte_size());
      labels[i] = label;
    }
  });
  return dataset;
}

std::vector<std::string> names_of(const ClassFolders& folders) {
  std::vector<std::string> names;
  for (const auto& folder : folders) names.push_back(folder.first);
  return names;
}

Dataset read_directory(const Path& source, const std::vector<std::string>& classes) {
  const ClassFolders folders = list_class_folders(source);
  const std::vector<std::string> all = classes.empty() ? names_of(folders) : classes;
  return decode_all(classes_in_turn(folders, all, source.string()), all,
                    {.decode = [&](const std::string& name) { return io::read_image(source / name); },
                     .describe = [&](const std::string& name) { return (source / name).string(); }});
}

/// The entries of an archive by CLASS/PICTURE.
class Archive {
 public:
  Archive(std::span<const std::byte> bytes, std::string_view what) : what_(what), entries_(io::parse_zip(bytes, what)) {
    for (const auto& [name, content] : entries_) contents_[name] = content;
  }

  Dataset read(const std::vector<std::string>& classes) const {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.name);
    const ClassFolders folders = list_class_folders(names, what_);
    const std::vector<std::string> all = classes.empty() ? names_of(folders) : classes;
    const std::vector<Picture> pictures = classes_in_turn(folders, all, what_);
    const PictureSource source{.decode = [this](const std::string& name) { return decode(name); },
                               .describe = [this](const std::string& name) { return describe(name); }};
    require_one_size(pictures, source);
    return decode_all(pictures, all, source);
  }

 private:
  Tensor decode(const std::string& name) const { return io::decode_image(contents_.at(name), describe(name)); }
  std::string describe(const std::string& name) const { return message(what_, ": entry \"", name, '"'); }

  /// Before memory for all is taken: a few bytes can announce a large picture, and many entries go into an archive.
  void require_one_size(const std::vector<Picture>& pictures, const PictureSource& source) const {
    const auto size_of = [&](const Picture& picture) {
      return io::picture_size(contents_.at(picture.first), describe(picture.first));
    };
    const std::string& first = pictures.front().first;
    const io::PictureSize size = size_of(pictures.front());
    for (const Picture& picture : pictures)
      if (size_of(picture) != size)
        source.require_shape(picture.first, decode(picture.first), decode(first).shape(), first);
  }

  std::string_view what_;
  std::vector<io::ZipEntry> entries_;
  std::map<std::string_view, std::span<const std::byte>> contents_;
};

}  // namespace

std::vector<std::string> picture_archive_classes(std::span<const std::byte> bytes, std::string_view what) {
  return names_of(list_class_folders(io::list_zip(bytes, what), what));
}

Dataset parse_picture_archive(std::span<const std::byte> bytes, std::string_view what,
                              const std::vector<std::string>& classes) {
  return Archive(bytes, what).read(classes);
}

std::vector<std::string> image_folder_classes(const Path& source) {
  if (is_archive(source)) return picture_archive_classes(io::read_file(source), source.string());
  return names_of(list_class_folders(source));
}

Dataset read_image_folder(const Path& source, const std::vector<std::string>& classes) {
  if (is_archive(source)) return parse_picture_archive(io::read_file(source), source.string(), classes);
  return read_directory(source, classes);
}

}  // namespace bitgrad::data
