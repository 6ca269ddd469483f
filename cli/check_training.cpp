#include <bitgrad/cli/check_training.hpp>

#include <algorithm>
#include <string>
#include <string_view>

#include <bitgrad/cli/commands.hpp>

namespace bitgrad::cli {
namespace {

/// The option of a field; most have its name.
std::string option_of(std::string_view field, TrainedModel model) {
  struct Name {
    std::string_view field, plain, quantized;
  };
  static constexpr Name others[] = {{"epochs", "epochs", "qat-epochs"},
                                    {"learning_rate", "lr", "qat-lr"},
                                    {"distillation", "distill", "distill"},
                                    {"frozen_batch_norm", "freeze-batch-norm", "freeze-batch-norm"}};
  const Name* const other = std::ranges::find(others, field, &Name::field);
  std::string name(other == std::end(others) ? field : model == TrainedModel::plain ? other->plain : other->quantized);
  std::ranges::replace(name, '_', '-');
  return "--" + name;
}

}  // namespace

void check_training(const TrainingOptions& options, TrainedModel model) {
  try {
    validate(options);
  } catch (const TrainingOptionError& error) {
    fail<UsageError>(option_of(error.field(), model), ' ', error.value(), ": expected ", error.expected());
  } catch (const ValueError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace bitgrad::cli
