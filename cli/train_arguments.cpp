#include <bitgrad/cli/train_arguments.hpp>

#include <CLI/App.hpp>
#include <charconv>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/parse.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::cli {
namespace {

constexpr std::int64_t default_epochs = 8;
constexpr const char* default_quantizer = "lsq:8";

// The groups of the help whose options decide nothing of the float model.
constexpr const char* quantization_group = "Quantization";
constexpr const char* recipes_group = "Recipes with quantizers";

/// For unsigned options: "-1" would become the largest number there is.
std::string whole_number(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? "" : text + ", expected a whole number, 0 or more";
}

/// Reads a spec, for a quantizer that exists for this target and method.
auto spec_for(QuantizationTarget target) {
  return [target](const std::string& text) {
    const std::optional<QuantizerSpec> spec = parse_quantizer_spec(text);
    if (spec) get_trainable_quantizer_class(target, spec->quantizer, method_of(*spec, target));
    return spec;
  };
}

/// The fewest digits that read back to the same number.
std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// `stage` is "float" or "quantized".
void check(const char* stage, const TrainingOptions& options) {
  try {
    validate(options);
  } catch (const ValueError& error) {
    fail<UsageError>(stage, " ", error.what());
  }
}

}  // namespace

void TrainOptions::declare(CLI::App& command) {
  const auto number = [&](const char* name, auto& value, const std::string& text) {
    return command.add_option(name, value, text)->capture_default_str();
  };
  const std::string rates =
      message(" (", default_learning_rate("adam"), " with adam and adamw, ", default_learning_rate("rmsprop"),
              " with rmsprop, ", default_learning_rate("sgd"), " with sgd)");

  command.option_defaults()->take_last();
  given.data = "fashion-mnist";
  command.add_option("--data", given.data, data_help)->type_name("NAME|PATH")->capture_default_str()->group("The job");
  command.add_option("--model", given.model, "Model: " + joined(models::names()) + " (with --from: the checkpoint's)")
      ->type_name("NAME")
      ->group("The job");
  command.add_option("--out", given.out, "Directory for checkpoints, graph, metrics and report")
      ->type_name("DIR")
      ->group("The job");
  command
      .add_option("--config", config,
                  "Options from a JSON file: {\"model\": \"mlp\", \"lr\": 0.01}. Those typed here win")
      ->type_name("FILE")
      ->group("The job");
  command.add_option("--from", given.from, "Start from a float checkpoint instead of random weights")
      ->type_name("FILE")
      ->group("The job");
  command
      .add_option("--init", given.init, "Start from float weights in an .npz or .safetensors file (docs/formats.md)")
      ->type_name("FILE")
      ->group("The job");
  command
      .add_option("--init-layout", init_layout, "How they are laid out and called: bitgrad (the default) or pytorch")
      ->type_name("NAME")
      ->group("The job");
  command
      .add_flag("--resume", given.resume, "Continue the run in --out, from its last step; all other options as before")
      ->group("The job");
  command.add_option("--epochs", epochs, "Epochs of float training (8, with --from or --init 0)")
      ->type_name("N")
      ->group("The job");
  number("--seed", training.seed, "Seed of weights, order and randomness")
      ->type_name("S")
      ->check(whole_number)
      ->group("The job");
  number("--save-every", given.save_every, "Steps between checkpoints; 0: one after every epoch")
      ->type_name("N")
      ->group("The job");
  command.add_flag("--tensorboard", given.tensorboard, "Write an event file for TensorBoard into --out as well")
      ->group("The job");
  declare_threads(command, given.threads)->group("The job");
  number("--limit", given.limit, "Use only the first N training and N test images; 0: all")
      ->type_name("N")
      ->group("The job");
  command
      .add_option("--hold-out", given.hold_out,
                  "Test on this share of every class's training images, not on the test images")
      ->type_name("SHARE")
      ->group("The job");
  command.add_option("--hold-out-seed", hold_out_seed, "Seed of that draw (1): --seed leaves it alone")
      ->type_name("S")
      ->check(whole_number)
      ->group("The job");

  const char* group = quantization_group;
  number("--qat-epochs", qat_epochs, "Epochs with quantizers, after float training")->type_name("N")->group(group);
  command.add_option("--weights", weights, "Quantizer of the weights, see below")->type_name("SPEC")->group(group);
  command.add_option("--activations", activations, "Quantizer of the activations, see below")
      ->type_name("SPEC")
      ->group(group);
  number("--first-last-bits", given.quantization.first_last_bits, "Bits of the first and last layer; 0: as the others")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--bits", bits,
                  "Mixed precision: bits or quantizers of single layers, from a JSON file (docs/quantization.md)")
      ->type_name("FILE")
      ->group(group);
  number("--calibration", given.calibration, "Training images that quantizers are calibrated on")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--calibration-method", calibration_method,
                  "Of starting values: mse (the default), minmax, percentile[=P] or kl")
      ->type_name("NAME")
      ->group(group);

  group = recipes_group;
  command.add_option("--qat-lr", qat_learning_rate, "Highest learning rate with quantizers" + rates)
      ->type_name("X")
      ->group(group);
  command
      .add_option("--qparams-rate", qparams_rate, "Learning rate of quantizer parameters, as a factor of --qat-lr (1)")
      ->type_name("X")
      ->group(group);
  command
      .add_option("--freeze-batch-norm", freeze_batch_norm,
                  "Epochs after which batch statistics are frozen (two thirds of them)")
      ->type_name("X")
      ->group(group);
  command
      .add_option("--gradual", gradual,
                  "Fewer bits phase by phase, --qat-epochs shared out or given: 8,4,2 or 8:2,4:2,2:4, see below")
      ->type_name("BITS")
      ->group(group);
  number("--activation-delay", activation_delay, "Epochs in which only weights are quantized, at the start")
      ->type_name("X")
      ->group(group);
  number("--distill", distillation, "Learn from the float model's answers too: their share of the loss, 0 to 1")
      ->type_name("X")
      ->group(group);
  command.add_option("--temperature", temperature, "Of --distill (4): the higher, the more the unlikely classes count")
      ->type_name("X")
      ->group(group);

  group = "Training";
  number("--batch", training.batch, "Images per step")->type_name("N")->group(group);
  number("--accumulate", training.accumulate, "Batches whose gradients make one step")->type_name("N")->group(group);
  number("--patience", given.patience, "Epochs without a higher test accuracy that end a stage; 0: any number")
      ->type_name("N")
      ->group(group);
  command
      .add_flag("--best", given.best,
                "A stage results in its epoch of the highest test accuracy (see --hold-out), not in its last")
      ->group(group);
  number("--optimizer", training.optimizer, "Optimizer: " + joined(optimizer_names()))->type_name("NAME")->group(group);
  command.add_option("--lr", learning_rate, "Highest learning rate of float training" + rates)
      ->type_name("X")
      ->group(group);
  number("--augment", training.augmentation, "Random changes to training images, see below: flip,shift:4")
      ->type_name("STEPS")
      ->group(group);
  number("--schedule", training.schedule, "How the learning rate goes: " + joined(schedule_names()))
      ->type_name("NAME")
      ->group(group);
  number("--warmup-epochs", training.warmup_epochs, "Epochs over which the learning rate rises")
      ->type_name("X")
      ->group(group);
  number("--momentum", training.momentum, "Momentum of sgd and rmsprop")->type_name("X")->group(group);
  number("--weight-decay", training.weight_decay, "Weight decay of kernels; 0.01 is usual with adamw")
      ->type_name("X")
      ->group(group);
  number("--gradient-clip", training.gradient_clip, "Largest norm of all gradients; 0: any")
      ->type_name("X")
      ->group(group);
  number("--ema", training.ema, "Ship a moving average of the weights with this decay, say 0.999; 0: the weights")
      ->type_name("X")
      ->group(group);
  number("--label-smoothing", training.label_smoothing, "Share of the target spread over all classes")
      ->type_name("X")
      ->group(group);
}

bool TrainOptions::is_for_quantization(const CLI::Option& option) {
  return option.get_group() == quantization_group || option.get_group() == recipes_group;
}

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
  const bool recipe = freeze_batch_norm || activation_delay != 0 || distillation != 0;
  if (recipe && qat_epochs == 0)
    throw UsageError("--freeze-batch-norm, --activation-delay and --distill belong to --qat-epochs, which is 0");
  if (temperature && distillation == 0) throw UsageError("--temperature belongs to --distill, which is not given");
  if (freeze_batch_norm) {
    const auto most = static_cast<double>(epochs_to_freeze);
    if (!(*freeze_batch_norm >= 0 && *freeze_batch_norm <= most))
      fail<UsageError>("--freeze-batch-norm is ", *freeze_batch_norm, ", expected 0 to the ", epochs_to_freeze,
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
  if (bits) arguments.quantization.overrides = read_bits_file(*bits);
  if (calibration_method)
    arguments.quantization.calibration = parse("--calibration-method", *calibration_method, parse_calibration);
  if (calibration_method && !arguments.quantizes())
    fail<UsageError>("--calibration-method ", *calibration_method,
                     " without quantizers: give --weights, --activations or --bits");
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

TrainArguments TrainOptions::resolve(CLI::App& command) {
  if (!config.empty()) read_configuration(config, command);
  TrainArguments arguments = given;
  if (given.out.empty()) throw UsageError("--out is required: a directory for everything that the run leaves");
  require_dataset(given.data);
  if (!given.from.empty() && !given.init.empty()) throw UsageError("--from and --init: weights come from one file");
  if (given.init.empty() && init_layout) throw UsageError("--init-layout belongs to --init, which is not given");
  if (init_layout) arguments.init_layout = parse("--init-layout", *init_layout, parse_weight_layout);
  if (given.model.empty() && given.from.empty())
    throw UsageError("--model is required, one of " + joined(models::names()));
  if (!given.model.empty()) require_known("model", given.model, models::names());
  require_known("optimizer", training.optimizer, optimizer_names());
  require_known("schedule", training.schedule, schedule_names());
  check_threads(given.threads);
  if (given.limit < 0) fail<UsageError>("--limit is ", given.limit, ", expected 0 (all images) or more");
  if (given.save_every < 0)
    fail<UsageError>("--save-every is ", given.save_every, ", expected 0 (epochs) or more steps");
  if (given.patience < 0) fail<UsageError>("--patience is ", given.patience, ", expected 0 (no end) or more epochs");
  if (given.calibration < 1) fail<UsageError>("--calibration is ", given.calibration, ", expected at least 1");
  if (given.quantization.first_last_bits < 0 || given.quantization.first_last_bits > 16)
    fail<UsageError>("--first-last-bits is ", given.quantization.first_last_bits, ", expected 0 (as the others) to 16");
  if (given.hold_out && !(*given.hold_out > 0 && *given.hold_out < 1))
    fail<UsageError>("--hold-out is ", *given.hold_out, ", expected more than 0 and less than 1");
  if (hold_out_seed && !given.hold_out) throw UsageError("--hold-out-seed belongs to --hold-out, which is not given");
  arguments.hold_out_seed = hold_out_seed.value_or(given.hold_out_seed);
  parse("--augment", training.augmentation, data::parse_augmentation);
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
  check("float", arguments.float_training);
  check("quantized", arguments.quantized_training);
  const TrainingOptions& quantized = arguments.quantized_training;
  arguments.configuration = configuration_of(command, {{"epochs", message(arguments.float_training.epochs)},
                                                       {"qat-epochs", message(quantized.epochs)},
                                                       {"lr", shortest(arguments.float_training.learning_rate)},
                                                       {"qat-lr", shortest(quantized.learning_rate)},
                                                       {"qparams-rate", shortest(quantized.qparams_rate)},
                                                       {"weights", to_string(arguments.quantization.weights)},
                                                       {"activations", to_string(arguments.quantization.activations)}});
  return arguments;
}

}  // namespace bitgrad::cli
