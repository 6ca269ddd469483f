#include <bitgrad/cli/seen_images.hpp>

#include <filesystem>
#include <set>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/run_data.hpp>
#include <bitgrad/core/data/find.hpp>

namespace bitgrad::cli {
namespace {

namespace fs = std::filesystem;

/// Whether `held` has all images of `wanted`: a smaller share is the beginning of a larger one.
bool holds(const Draw& held, const Draw& wanted) {
  return held.share >= wanted.share && held.seed == wanted.seed && held.limit == wanted.limit;
}

std::string describe(const Draw& draw) {
  if (draw.share == 0) return "no --hold-out";
  return message("--hold-out ", draw.share, " --hold-out-seed ", draw.seed, " --limit ", draw.limit);
}

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
    const Draw there = draw_of(options);
    const bool trained = options.number<std::int64_t>("epochs", 1) > 0;
    if (trained && same_data(options.text("data", given.data), given.data) && !holds(there, here))
      fail<UsageError>(describe(here), ": the model of ", start.path.string(), " was trained with ", describe(there),
                       ", on images that this run would test on; expected the same draw, or a smaller share of it");
    from = options.text("from", "");
  }
}

}  // namespace bitgrad::cli
