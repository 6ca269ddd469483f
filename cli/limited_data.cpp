#include <bitgrad/cli/limited_data.hpp>

#include <bitgrad/cli/commands.hpp>

namespace bitgrad::cli {

void require_dataset(const std::string& name_or_path) {
  try {
    data::find_dataset(name_or_path);
  } catch (const ValueError& error) {
    throw UsageError(error.what());
  }
}

data::Dataset load_limited(const std::string& name_or_path, data::Split split, Index limit) {
  return limited(data::load_dataset(name_or_path, split), limit);
}

data::Dataset limited(data::Dataset dataset, Index limit) {
  if (limit > 0 && limit < dataset.size()) {
    dataset.images = dataset.images.rows(0, limit);
    dataset.labels = dataset.labels.rows(0, limit);
  }
  return dataset;
}

}  // namespace bitgrad::cli
