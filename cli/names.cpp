#include <bitgrad/cli/names.hpp>

#include <algorithm>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::cli {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void require_known(std::string_view what, const std::string& name, const std::vector<std::string>& names) {
  if (std::ranges::find(names, name) == names.end()) throw UsageError(unknown_name(what, name, names));
}

std::string model_help() {
  return "Model: " + joined(models::names()) +
         "; resnet8:2 is twice as wide (mobilenet_v1 counts quarters: :1 has the width multiplier 0.25, :4 has 1), "
         "resnet8:normalized takes mean and deviation of the training images off its input";
}

void require_model(const std::string& name) {
  if (name == "autoencoder" || name.starts_with("autoencoder:"))
    fail<UsageError>("model ", name, " has no classes: it is trained from C++, see examples/training_loop.cpp");
  try {
    models::usual_input_shape(name);
  } catch (const ValueError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace bitgrad::cli
