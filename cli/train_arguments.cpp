// What the options of bitgrad train come to.
#include <bitgrad/cli/train_arguments.hpp>

#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include <bitgrad/cli/check_training.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/idle_options.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/parse.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/seen_images.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::cli {
namespace {

constexpr std::int64_t default_epochs = 8;
constexpr const char* default_quantizer = "lsq:8";

/// Reads a spec, for a quantizer that exists for this target and method.
auto spec_for(QuantizationTarget target) {
  return [target](const std::string& text) {
    const std::optional<QuantizerSpec> spec = parse_quantizer_spec(text);
    if (spec) get_trainable_quantizer_class(target, spec->quantizer, method_of(*spec, target));
    return spec;
  };
}

/// Whether a run may go on with another value. The first four decide no numbers; of the others the paths may differ:
/// what is behind them is compared with the checkpoint, where there is one, and written to run.json where there is
/// none.
bool may_differ(const OptionDifference& each) {
  constexpr std::array free_options{"out", "threads", "save-every", "tensorboard"};
  constexpr std::array paths{"data", "from", "init"};
  if (std::ranges::find(free_options, each.option) != free_options.end()) return true;
  return !each.there.empty() && !each.here.empty() && std::ranges::find(paths, each.option) != paths.end();
}

/// Whether the run with these options has quantizers.
bool quantizes(const std::map<std::string, std::string>& options) {
  return std::ranges::any_of(std::array{"weights", "activations", "bits"}, [&](const char* option) {
    const auto found = options.find(option);
    return found != options.end() && found->second != "none";
  });
}

}  // namespace

/// Before the quantizers: the last phase has the bits of those that are not given.
void TrainOptions::choose_phases(TrainArguments& arguments) {
  if (!gradual) return;
  arguments.gradual =
      parse("--gradual", *gradual, [this](const std::string& text) { return parse_gradual(text, qat_epochs); });
  qat_epochs = 0;
  for (const BitPhase& phase : arguments.gradual) qat_epochs += phase.epochs;
}

void TrainOptions::choose_recipe(TrainArguments& arguments) const {
  TrainingOptions& quantized = arguments.quantized_training;
  // Batch statistics are frozen in the last phase.
  const std::int64_t epochs_to_freeze = arguments.gradual.empty() ? qat_epochs : arguments.gradual.back().epochs;
  if (freeze_batch_norm && qat_epochs > 0) {
    const auto most = static_cast<double>(epochs_to_freeze);
    if (!(*freeze_batch_norm >= 0 && *freeze_batch_norm <= most))
      fail<UsageError>("--freeze-batch-norm ", *freeze_batch_norm, ": expected 0 to the ", epochs_to_freeze,
                       " epochs of ", gradual ? "the last phase of --gradual" : "--qat-epochs");
    quantized.frozen_batch_norm = 1 - *freeze_batch_norm / most;
  }
  quantized.activation_delay = activation_delay;
  quantized.distillation = distillation;
  if (temperature) quantized.temperature = *temperature;
}

void TrainOptions::choose_quantizers(TrainArguments& arguments) const {
  const bool wanted = qat_epochs > 0 || weights || activations || bits;
  const bool last_phase = gradual && !weights && !activations;
  const std::string usual = last_phase ? message("lsq:", arguments.gradual.back().bits) : default_quantizer;
  const std::string unsaid = wanted ? usual : "none";
  arguments.quantization.weights = parse("--weights", weights.value_or(unsaid), spec_for(QuantizationTarget::Weights));
  arguments.quantization.activations =
      parse("--activations", activations.value_or(unsaid), spec_for(QuantizationTarget::Activation));
  if (bits)  // of run.json: what the file held
    arguments.quantization.overrides = bits->starts_with('{') ? parse_bits(*bits, "--bits") : read_bits_file(*bits);
  if (calibration_method)
    arguments.quantization.calibration = parse("--calibration-method", *calibration_method, parse_calibration);
  if (qat_epochs > 0 && !arguments.quantizes())
    fail<UsageError>("--qat-epochs ", qat_epochs,
                     " with --weights none --activations none: there is nothing to quantize");
  if (const int fewest = fewest_bits(arguments.quantization); gradual && fewest != arguments.gradual.back().bits)
    fail<UsageError>("--gradual ", *gradual, " ends at ", arguments.gradual.back().bits,
                     " bits, expected the fewest of --weights, --activations and --bits, which are ", fewest);
}

std::string TrainOptions::describe_spec() {
  return message(
      "A SPEC is none or NAME:BITS[:pot|symmetric|uniform][:per-tensor]: lsq:4, lsq-pot:8, "
      "mct-lsq:8:symmetric:per-tensor. A\n"
      "calibration may follow, in place of --calibration-method: lsq:4:kl.\n",
      "Unless given it is ", default_quantizer, " where anything is to be quantized, and none otherwise.\n");
}

void TrainOptions::refuse_idle(const std::vector<std::string>& typed, const TrainArguments& arguments) const {
  const QuantizationConfig& what = arguments.quantization;
  const bool quantizes = arguments.quantizes(), trains_quantized = qat_epochs > 0;
  const bool quantizes_activations = what.activations || !what.overrides.empty();
  const bool has_momentum = training.optimizer == "sgd" || training.optimizer == "rmsprop";
  const bool trains = arguments.float_training.epochs > 0 || trains_quantized;
  for (const char* option :
       {"--batch", "--accumulate", "--patience", "--best", "--save-every", "--optimizer", "--augment", "--mixup",
        "--schedule", "--warmup-epochs", "--weight-decay", "--gradient-clip", "--ema", "--label-smoothing"})
    refuse_idle_options(typed, {{option, trains, "--epochs or --qat-epochs"}});
  const char* const quantizers = "quantizers: --weights, --activations or --bits";
  refuse_idle_options(typed,
                      {
                          {"--init-layout", !given.init.empty(), "--init"},
                          {"--hold-out-seed", given.hold_out.has_value(), "--hold-out"},
                          {"--lr", arguments.float_training.epochs > 0, "--epochs; with quantizers it is --qat-lr"},
                          {"--momentum", has_momentum, "--optimizer sgd or rmsprop"},
                          {"--first-last-bits", quantizes, quantizers},
                          {"--calibration", quantizes, quantizers},
                          {"--calibration-method", quantizes, quantizers},
                          {"--qat-lr", trains_quantized, "--qat-epochs"},
                          {"--qparams-rate", trains_quantized, "--qat-epochs"},
                          {"--freeze-batch-norm", trains_quantized, "--qat-epochs"},
                          {"--activation-delay", trains_quantized, "--qat-epochs"},
                          {"--activation-delay", quantizes_activations, "--activations or --bits"},
                          {"--distill", trains_quantized, "--qat-epochs"},
                          {"--temperature", distillation > 0, "--distill"},
                      });
}

/// A mistyped --out must neither start a new run nor end an old one.
void TrainOptions::check_directory() const {
  if (given.out.empty()) throw UsageError("--out is required: a directory for everything that the run leaves");
  const RunDirectory directory{given.out};
  if (given.resume && given.replace) throw UsageError("--resume goes on with a run and --replace deletes it: give one");
  if (given.resume && !directory.holds_run())
    fail<UsageError>("--resume: ", given.out,
                     std::filesystem::exists(directory.path) ? " holds no run" : " does not exist",
                     "; without --resume a new run starts there");
  if (!given.resume && !given.replace && directory.holds_run())
    fail<UsageError>("--out ", given.out, " holds a run: --resume goes on with it, --replace deletes it");
}

void TrainOptions::check_given() const {
  namespace fs = std::filesystem;
  if (!given.from.empty() && fs::weakly_canonical(given.from).parent_path() == fs::weakly_canonical(given.out))
    fail<UsageError>("--from ", given.from, ": lies in --out, which the new run clears; give it another directory");
  require_dataset(given.data);
  if (!given.from.empty() && !given.init.empty()) throw UsageError("--from and --init: weights come from one file");
  if (given.model.empty() && given.from.empty())
    throw UsageError("--model is required, one of " + joined(models::names()));
  if (!given.model.empty()) require_model(given.model);
  require_known("optimizer", training.optimizer, optimizer_names());
  require_known("schedule", training.schedule, schedule_names());
  check_threads(given.threads);
  if (given.limit < 0) fail<UsageError>("--limit ", given.limit, ": expected 0 (all images) or more");
  if (given.save_every < 0) fail<UsageError>("--save-every ", given.save_every, ": expected 0 (epochs) or more steps");
  if (given.patience < 0) fail<UsageError>("--patience ", given.patience, ": expected 0 (no end) or more epochs");
  if (given.calibration < 1) fail<UsageError>("--calibration ", given.calibration, ": expected at least 1");
  if (given.quantization.first_last_bits < 0 || given.quantization.first_last_bits > 16)
    fail<UsageError>("--first-last-bits ", given.quantization.first_last_bits, ": expected 0 (as the others) to 16");
  if (given.hold_out && !(*given.hold_out > 0 && *given.hold_out < 1))
    fail<UsageError>("--hold-out ", *given.hold_out, ": expected more than 0 and less than 1");
  parse("--augment", training.augmentation, data::parse_augmentation);
}

void TrainOptions::refuse_other_options(const std::vector<std::string>& given_options,
                                        const TrainArguments& arguments) const {
  const RunDirectory run{given.out};
  std::vector<std::string> names;
  for (const std::string& option : given_options) names.push_back(option.substr(2));
  const auto value = [](const std::string& text) { return text.empty() ? "not given" : text; };
  std::string differing;
  for (const OptionDifference& each : different_options(run.configuration(), arguments.configuration, names))
    if (!may_differ(each))
      differing += message(differing.empty() ? "" : ", ", "--", each.option, " is ", value(each.there), " there and ",
                           value(each.here), " here");
  if (differing.empty()) return;
  const std::string instead =
      arguments.quantizes() && !quantizes(configured_options(run.configuration()))
          ? message("; to quantize what it trained, start from it in another directory: --from ", given.out,
                    " --out DIR")
          : "";
  fail<UsageError>("--resume: the run in ", given.out, " has other options: ", differing, instead);
}

std::map<std::string, std::string> TrainOptions::resolved(const TrainArguments& arguments) const {
  const TrainingOptions &plain = arguments.float_training, &quantized = arguments.quantized_training;
  std::map<std::string, std::string> values{{"from", arguments.from},
                                            {"epochs", message(plain.epochs)},
                                            {"qat-epochs", message(quantized.epochs)},
                                            {"lr", shortest(plain.learning_rate)},
                                            {"qat-lr", shortest(quantized.learning_rate)},
                                            {"qparams-rate", shortest(quantized.qparams_rate)},
                                            {"weights", to_string(arguments.quantization.weights)},
                                            {"activations", to_string(arguments.quantization.activations)}};
  if (bits) values.emplace("bits", bits_json(arguments.quantization.overrides));
  return values;
}

TrainArguments TrainOptions::resolve(CLI::App& command) {
  const std::vector<std::string> typed = typed_options(command);
  if (!config.empty()) read_configuration(config, command);
  const std::vector<std::string> given_options = typed_options(command);
  check_directory();
  const RunDirectory run{given.out};
  const bool goes_on = given.resume && std::filesystem::exists(run.configuration());
  if (goes_on && config.empty()) read_configuration(run.configuration(), command);
  given.hold_out_seed = hold_out_seed.value_or(given.hold_out_seed);
  if (std::filesystem::is_directory(given.from)) {
    const RunDirectory start{given.from};
    start.require(start.report());
    given.from = start.float_result().string();
  }
  check_given();
  for (const auto& [name, file] : {std::pair{"--from", given.from}, {"--init", given.init}})
    if (!file.empty() && !std::filesystem::exists(file)) {
      const bool is_given = std::ranges::find(given_options, name) != given_options.end();
      fail<IoError>(name, " ", file, ": no such file",
                    is_given ? "" : "; run.json has it, from where the run was started unless it begins with /");
    }
  if (!goes_on) refuse_seen_images(given);
  TrainArguments arguments = given;
  if (init_layout) arguments.init_layout = parse("--init-layout", *init_layout, parse_weight_layout);
  choose_phases(arguments);
  choose_quantizers(arguments);

  arguments.float_training = training;
  arguments.float_training.learning_rate = learning_rate.value_or(default_learning_rate(training.optimizer));
  arguments.float_training.epochs = epochs.value_or(given.from.empty() && given.init.empty() ? default_epochs : 0);
  arguments.quantized_training = quantized_training(training);
  arguments.quantized_training.epochs = qat_epochs;
  arguments.quantized_training.learning_rate = qat_learning_rate.value_or(default_learning_rate(training.optimizer));
  if (qparams_rate) arguments.quantized_training.qparams_rate = *qparams_rate;
  choose_recipe(arguments);
  check_training(arguments.float_training, TrainedModel::plain);
  check_training(arguments.quantized_training, TrainedModel::quantized);
  refuse_idle(typed, arguments);
  arguments.configuration = configuration_of(command, resolved(arguments));
  if (goes_on) refuse_other_options(given_options, arguments);
  return arguments;
}

}  // namespace bitgrad::cli
