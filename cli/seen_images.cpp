#include <bitgrad/cli/seen_images.hpp>

#include <filesystem>
#include <set>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/configured_options.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/data/find.hpp>

namespace bitgrad::cli {
namespace {

namespace fs = std::filesystem;

/// What decides which training images are held out.
struct Draw {
  double share;
  std::uint64_t seed;
  Index limit;

  /// Whether all images of the other one are held out here too: a smaller share is the beginning of a larger one.
  bool holds(const Draw& other) const { return share >= other.share && seed == other.seed && limit == other.limit; }
  std::string describe() const {
    return share > 0 ? message("--hold-out ", share, " --hold-out-seed ", seed, " --limit ", limit) : "no --hold-out";
  }
};

bool same_data(const std::string& a, const std::string& b) {
  if (a == b) return true;
  try {
    return fs::weakly_canonical(data::find_dataset(a)) == fs::weakly_canonical(data::find_dataset(b));
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void refuse_seen_images(const TrainArguments& given) {
  if (!given.hold_out) return;
  const Draw here{*given.hold_out, given.hold_out_seed, given.limit};
  std::set<fs::path> visited;
  for (io::Path from = given.from; !from.empty();) {
    const RunDirectory start{fs::is_directory(from) ? from : from.parent_path()};
    if (!fs::exists(start.configuration()) || !visited.insert(fs::weakly_canonical(start.path)).second) return;
    const ConfiguredOptions options(start.configuration());
    const Draw there{options.number<double>("hold-out", 0), options.number<std::uint64_t>("hold-out-seed", 1),
                     options.number<Index>("limit", 0)};
    const bool trained = options.number<std::int64_t>("epochs", 1) > 0;
    if (trained && same_data(options.text("data", given.data), given.data) && !there.holds(here))
      fail<UsageError>(here.describe(), ": the model of ", start.path.string(), " was trained with ", there.describe(),
                       ", on images that this run would test on; expected the same draw, or a smaller share of it");
    from = options.text("from", "");
  }
}

}  // namespace bitgrad::cli
