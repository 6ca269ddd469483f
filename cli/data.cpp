// bitgrad data
#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/data/format.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(A known name (fashion-mnist, mnist, cifar10) is looked for in $BITGRAD_DATA_DIR/NAME, then $XDG_CACHE_HOME/bitgrad/NAME
(~/.cache/bitgrad/NAME), then /usr/share/datasets/NAME. A path holds one of
  IDX                   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each plain or with .gz
  CIFAR-10 binary       data_batch_*.bin, test_batch.bin
  image folders         train/CLASS/*.png and test/CLASS/*.png (or .jpg, .jpeg)
  zipped image folders  train.zip and test.zip, with CLASS/*.png and so on
  class folders         CLASS/*.png and so on, or a file NAME.zip of them: training images alone
  npz                   a file NAME.npz with x_train, y_train, x_test, y_test (images uint8, labels whole numbers), and
                        class_names (strings) where classes have names
Folders called train and test are splits, not classes. Without test images, bitgrad train --hold-out SHARE tests on a
share of the training images. Classes are those of the training split, sorted by name where they are folders. Means and
deviations are per channel, of pixels / 255: what networks see.

Examples:
    bitgrad data fashion-mnist
    bitgrad data ./pictures
    bitgrad data ./pictures.zip
    bitgrad data digits.npz)";

constexpr const char* no_test_images =
    "\nNo test images: bitgrad train --hold-out SHARE tests on a share of the training images.\n";

struct NamedSplit {
  data::Split split;
  data::Dataset dataset;
};

/// What the pixels of one channel are like, in [0, 1] but for the range.
struct ChannelStatistics {
  int least = 255, most = 0;
  double mean = 0, deviation = 0;
};

ChannelStatistics channel_statistics(const data::Dataset& dataset, Index channel) {
  std::array<Index, 256> histogram{};
  const auto pixels = dataset.images.span<std::uint8_t>();
  const auto step = static_cast<std::size_t>(dataset.images.dim(-1));
  for (std::size_t i = static_cast<std::size_t>(channel); i < pixels.size(); i += step) ++histogram[pixels[i]];
  ChannelStatistics result;
  double count = 0, sum = 0, squares = 0;
  for (int value = 0; value < 256; ++value) {
    const auto times = static_cast<double>(histogram[static_cast<std::size_t>(value)]);
    if (times == 0) continue;
    result.least = std::min(result.least, value);
    result.most = value;
    count += times;
    sum += times * value;
    squares += times * value * value;
  }
  if (count == 0) return result;
  result.mean = sum / count / 255;
  result.deviation = std::sqrt(std::max(0.0, squares / count / (255 * 255) - result.mean * result.mean));
  return result;
}

Row split_row(const NamedSplit& each) {
  const Shape shape = each.dataset.images.shape();
  int least = 255, most = 0;
  std::string means, deviations;
  for (Index channel = 0; channel < shape[3]; ++channel) {
    const ChannelStatistics of = channel_statistics(each.dataset, channel);
    least = std::min(least, of.least);
    most = std::max(most, of.most);
    means += message(channel > 0 ? " " : "", format("%.4f", of.mean));
    deviations += message(channel > 0 ? " " : "", format("%.4f", of.deviation));
  }
  return {std::string(name_of(each.split)),
          std::to_string(each.dataset.size()),
          message(shape[1], " x ", shape[2], " x ", shape[3]),
          message(least, " to ", most),
          means,
          deviations};
}

const NamedSplit* find(const std::vector<NamedSplit>& splits, data::Split split) {
  const auto found = std::ranges::find(splits, split, &NamedSplit::split);
  return found == splits.end() ? nullptr : &*found;
}

std::vector<Row> split_rows(const std::vector<NamedSplit>& splits) {
  std::vector<Row> rows{{"split", "images", "size", "range", "mean", "deviation"}};
  for (const data::Split split : {data::Split::train, data::Split::test}) {
    const NamedSplit* found = find(splits, split);
    rows.push_back(found != nullptr ? split_row(*found) : Row{std::string(name_of(split)), "none"});
  }
  return rows;
}

std::vector<Row> class_rows(const std::vector<NamedSplit>& splits) {
  std::vector<Row> rows{{"class", "label"}};
  std::vector<std::vector<Index>> counts;
  for (const NamedSplit& each : splits) {
    rows.front().emplace_back(name_of(each.split));
    counts.push_back(class_counts(each.dataset));
  }
  const data::Dataset& first = splits.front().dataset;
  for (std::size_t label = 0; label < static_cast<std::size_t>(first.classes); ++label) {
    Row row{first.class_names.empty() ? "-" : first.class_names[label], std::to_string(label)};
    for (const std::vector<Index>& of : counts) row.push_back(std::to_string(of.at(label)));
    rows.push_back(std::move(row));
  }
  return rows;
}

void describe(const std::string& name_or_path) {
  require_dataset(name_or_path);
  const io::Path path = data::find_dataset(name_or_path);
  const data::Format format = data::detect_format(path);
  std::vector<NamedSplit> splits;
  for (const data::Split split : {data::Split::train, data::Split::test})
    if (has_split(path, split)) splits.push_back({split, data::load_dataset(name_or_path, split)});
  if (splits.empty()) fail<IoError>(path.string(), ": neither a train nor a test split");

  std::cout << path.string() << ": " << name_of(format) << ", " << splits.front().dataset.classes << " classes"
            << (splits.size() == 2 ? "" : message(", the ", name_of(splits.front().split), " split alone")) << "\n\n"
            << text_table(split_rows(splits)) << '\n'
            << text_table(class_rows(splits)) << (find(splits, data::Split::test) != nullptr ? "" : no_test_images)
            << std::flush;
}

}  // namespace

void add_data_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("data", "Tell what a data set holds: splits, sizes, classes");
  command->footer(help);
  const auto path = std::make_shared<std::string>();
  command->add_option("PATH", *path, "Name or path of a data set")->required();
  command->callback([path] { describe(*path); });
}

}  // namespace bitgrad::cli
