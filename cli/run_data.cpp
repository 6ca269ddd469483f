#include <bitgrad/cli/run_data.hpp>

#include <filesystem>

#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/core/data/hold_out.hpp>

namespace bitgrad::cli {
namespace {

/// The run's training images, all of them as the rest where none are held out.
data::HoldOut training_split(const RunDirectory& run, const std::string& name_or_path) {
  const Draw draw = draw_of(ConfiguredOptions(run.configuration()));
  data::Dataset images = load_limited(name_or_path, data::Split::train, draw.limit);
  if (draw.share == 0) return {.rest = std::move(images), .held = {}};
  return data::hold_out(images, draw.share, draw.seed);
}

}  // namespace

Draw draw_of(const ConfiguredOptions& options) {
  return {.share = options.number<double>("hold-out", 0),
          .seed = options.number<std::uint64_t>("hold-out-seed", 1),
          .limit = options.number<Index>("limit", 0)};
}

std::string data_of(const RunDirectory& run) {
  return std::filesystem::exists(run.report()) ? read_report(run).data : "fashion-mnist";
}

data::Dataset training_images(const RunDirectory& run, const std::string& name_or_path) {
  return training_split(run, name_or_path).rest;
}

data::Dataset unseen_images(const RunDirectory& run, const std::string& name_or_path) {
  if (configured_options(run.configuration()).contains("hold-out")) return training_split(run, name_or_path).held;
  return data::load_dataset(name_or_path, data::Split::test);
}

}  // namespace bitgrad::cli
