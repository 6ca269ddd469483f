#include <bitgrad/qat/training_options.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad {
namespace {

template <class T>
void require_range(const char* field, T value, T low, T high, const char* expected) {
  if (!(value >= low && value <= high)) throw TrainingOptionError(field, message(value), expected);
}

void require_name(std::string_view what, const std::string& name, const std::vector<std::string>& names) {
  if (std::ranges::find(names, name) == names.end()) throw ValueError(unknown_name(what, name, names));
}

}  // namespace

std::vector<std::string> optimizer_names() { return {"adam", "adamw", "rmsprop", "sgd"}; }

std::vector<std::string> schedule_names() {
  return {"constant", "cosine", "exponential", "one-cycle", "plateau", "step"};
}

double default_learning_rate(std::string_view optimizer) {
  if (optimizer == "sgd") return 0.05;
  return optimizer == "rmsprop" ? 5e-4 : 2e-3;
}

TrainingOptions quantized_training(TrainingOptions base) {
  base.frozen_batch_norm = 1.0 / 3;
  return base;
}

std::string TrainingOptions::to_json() const {
  nlohmann::ordered_json json = {{"epochs", epochs},
                                 {"batch", batch},
                                 {"optimizer", optimizer},
                                 {"learning_rate", learning_rate},
                                 {"qparams_rate", qparams_rate},
                                 {"schedule", schedule},
                                 {"warmup_epochs", warmup_epochs},
                                 {"weight_decay", weight_decay},
                                 {"momentum", momentum},
                                 {"gradient_clip", gradient_clip},
                                 {"label_smoothing", label_smoothing},
                                 {"frozen_batch_norm", frozen_batch_norm},
                                 {"seed", seed}};
  // Checkpoints from before these options existed stay what they are.
  if (augmentation != TrainingOptions{}.augmentation) json["augmentation"] = augmentation;
  if (mixup > 0) json["mixup"] = mixup;
  if (accumulate != TrainingOptions{}.accumulate) json["accumulate"] = accumulate;
  if (activation_delay > 0) json["activation_delay"] = activation_delay;
  if (ema > 0) json["ema"] = ema;
  if (distillation > 0) json["distillation"] = {{"weight", distillation}, {"temperature", temperature}};
  return json.dump();
}

TrainingOptionError::TrainingOptionError(std::string field, std::string value, std::string expected)
    : ValueError(message("training: ", field, " is ", value, ", expected ", expected)),
      field_(std::move(field)),
      value_(std::move(value)),
      expected_(std::move(expected)) {}

void validate(const TrainingOptions& options) {
  constexpr double any = 1e300;
  constexpr std::int64_t many = std::numeric_limits<std::int64_t>::max();
  const double below_one = std::nextafter(1.0, 0.0);
  require_name("optimizer", options.optimizer, optimizer_names());
  require_name("schedule", options.schedule, schedule_names());
  data::parse_augmentation(options.augmentation);
  require_range<std::int64_t>("epochs", options.epochs, 0, many, "0 or more");
  require_range<std::int64_t>("batch", options.batch, 1, many, "at least 1");
  require_range<std::int64_t>("accumulate", options.accumulate, 1, many, "at least 1");
  require_range("learning_rate", options.learning_rate, 1e-300, any, "a positive number");
  require_range("qparams_rate", options.qparams_rate, 0.0, any, "0 or more");
  require_range("warmup_epochs", options.warmup_epochs, 0.0, any, "0 or more");
  require_range("weight_decay", options.weight_decay, 0.0, any, "0 or more");
  require_range("momentum", options.momentum, 0.0, below_one, "at least 0 and less than 1");
  require_range("gradient_clip", options.gradient_clip, 0.0, any, "0 (no limit) or more");
  require_range("ema", options.ema, 0.0, below_one, "at least 0 (none) and less than 1");
  require_range("label_smoothing", options.label_smoothing, 0.0, below_one, "at least 0 and less than 1");
  require_range("mixup", options.mixup, 0.0, 1000.0, "0 (none) to 1000");
  require_range("activation_delay", options.activation_delay, 0.0, any, "0 or more epochs");
  require_range("distillation", options.distillation, 0.0, 1.0, "0 to 1");
  require_range("temperature", options.temperature, 1e-3, 1e3, "0.001 to 1000");
  require_range("frozen_batch_norm", options.frozen_batch_norm, 0.0, 1.0, "0 to 1");
}

}  // namespace bitgrad
