// The options of bitgrad train, as its help lists them.
#include <CLI/App.hpp>

#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/cli/train_arguments.hpp>

namespace bitgrad::cli {
namespace {

// The groups of the help whose options decide nothing of the float model.
constexpr const char* quantization_group = "Quantization";
constexpr const char* recipes_group = "Recipes with quantizers";

/// An option whose default the help shows.
template <class Value>
CLI::Option* number(CLI::App& command, const char* name, Value& value, const std::string& text) {
  return command.add_option(name, value, text)->capture_default_str();
}

/// The default learning rates, for the help.
std::string rates() {
  return message(" (", default_learning_rate("adam"), " with adam and adamw, ", default_learning_rate("rmsprop"),
                 " with rmsprop, ", default_learning_rate("sgd"), " with sgd)");
}

}  // namespace

void TrainOptions::declare(CLI::App& command) {
  command.option_defaults()->take_last();
  declare_job(command);
  declare_quantization(command);
  declare_recipes(command);
  declare_training(command);
}

void TrainOptions::declare_job(CLI::App& command) {
  const char* const group = "The job";
  given.data = "fashion-mnist";
  command.add_option("--data", given.data, data_help)->type_name("NAME|PATH")->capture_default_str()->group(group);
  command.add_option("--model", given.model, model_help() + " (with --from: the checkpoint's)")
      ->type_name("NAME")
      ->group(group);
  command.add_option("--out", given.out, "Directory for checkpoints, graph, metrics and report")
      ->type_name("DIR")
      ->group(group);
  command
      .add_option("--config", config,
                  "Options from a JSON file: {\"model\": \"mlp\", \"lr\": 0.01}. Those typed here win")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--from", given.from, "Start from the float model of a run, or from a float checkpoint")
      ->type_name("DIR|FILE")
      ->group(group);
  command
      .add_option("--init", given.init, "Start from float weights in an .npz or .safetensors file (docs/formats.md)")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--init-layout", init_layout, "How they are laid out and called: bitgrad or pytorch")
      ->type_name("NAME")
      ->default_str("bitgrad")
      ->group(group);
  command
      .add_flag("--resume", given.resume,
                "Continue the run in --out, from its last step, with the options it began with")
      ->group(group);
  command.add_flag("--replace", given.replace, "Delete the run that --out holds, and start anew")->group(group);
  command.add_option("--epochs", epochs, "Epochs of float training (8, with --from or --init 0)")
      ->type_name("N")
      ->group(group);
  number(command, "--seed", training.seed, "Seed of weights, order and randomness")
      ->type_name("S")
      ->check(whole_number)
      ->group(group);
  number(command, "--save-every", given.save_every, "Steps between checkpoints; 0: one after every epoch")
      ->type_name("N")
      ->group(group);
  command.add_flag("--tensorboard", given.tensorboard, "Write an event file for TensorBoard into --out as well")
      ->group(group);
  declare_threads(command, given.threads)->group(group);
  number(command, "--limit", given.limit, "Use only the first N training and N test images; 0: all")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--hold-out", given.hold_out,
                  "Test on this share of every class's training images, not on the test images")
      ->type_name("SHARE")
      ->group(group);
  command.add_option("--hold-out-seed", hold_out_seed, "Seed of that draw: --seed leaves it alone")
      ->type_name("S")
      ->default_str("1")
      ->check(whole_number)
      ->group(group);
}

void TrainOptions::declare_quantization(CLI::App& command) {
  const char* const group = quantization_group;
  number(command, "--qat-epochs", qat_epochs, "Epochs with quantizers, after float training")
      ->type_name("N")
      ->group(group);
  command.add_option("--weights", weights, "Quantizer of the weights, see below")->type_name("SPEC")->group(group);
  command.add_option("--activations", activations, "Quantizer of the activations, see below")
      ->type_name("SPEC")
      ->group(group);
  number(command, "--first-last-bits", given.quantization.first_last_bits,
         "Bits of the first and last layer; 0: as the others")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--bits", bits, "Mixed precision: bits or quantizers of single layers, from a JSON file, see below")
      ->type_name("FILE")
      ->group(group);
  number(command, "--calibration", given.calibration, "Training images that quantizers are calibrated on")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--calibration-method", calibration_method, "Of starting values: mse, minmax, percentile[=P] or kl")
      ->type_name("NAME")
      ->default_str("mse")
      ->group(group);
}

void TrainOptions::declare_recipes(CLI::App& command) {
  const char* const group = recipes_group;
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
  number(command, "--activation-delay", activation_delay, "Epochs in which only weights are quantized, at the start")
      ->type_name("X")
      ->group(group);
  number(command, "--distill", distillation,
         "Learn from the float model's answers too: their share of the loss, 0 to 1")
      ->type_name("X")
      ->group(group);
  command.add_option("--temperature", temperature, "Of --distill: the higher, the more the unlikely classes count")
      ->type_name("X")
      ->default_str(shortest(TrainingOptions{}.temperature))
      ->group(group);

  command.add_option("--qat-lr", qat_learning_rate, "Highest learning rate with quantizers" + rates())
      ->type_name("X")
      ->group(group);
  command
      .add_option("--qparams-rate", qparams_rate, "Learning rate of quantizer parameters, as a factor of --qat-lr (1)")
      ->type_name("X")
      ->group(group);
}

void TrainOptions::declare_training(CLI::App& command) {
  const char* const group = "Training";
  number(command, "--batch", training.batch, "Images per step")->type_name("N")->group(group);
  number(command, "--accumulate", training.accumulate, "Batches whose gradients make one step")
      ->type_name("N")
      ->group(group);
  number(command, "--patience", given.patience, "Epochs without a higher test accuracy that end a stage; 0: any number")
      ->type_name("N")
      ->group(group);
  command
      .add_flag("--best", given.best,
                "A stage results in its epoch of the highest test accuracy (see --hold-out), not in its last")
      ->group(group);
  number(command, "--optimizer", training.optimizer, "Optimizer: " + joined(optimizer_names()))
      ->type_name("NAME")
      ->group(group);
  command.add_option("--lr", learning_rate, "Highest learning rate of float training" + rates())
      ->type_name("X")
      ->group(group);
  number(command, "--augment", training.augmentation, "Random changes to training images, see below: flip,shift:4")
      ->type_name("STEPS")
      ->group(group);
  number(command, "--mixup", training.mixup,
         "Mix every image and its label with another, in shares from Beta(X, X), say 0.2; 0: no")
      ->type_name("X")
      ->group(group);
  number(command, "--schedule", training.schedule, "How the learning rate goes: " + joined(schedule_names()))
      ->type_name("NAME")
      ->group(group);
  number(command, "--warmup-epochs", training.warmup_epochs, "Epochs over which the learning rate rises")
      ->type_name("X")
      ->group(group);
  number(command, "--momentum", training.momentum, "Momentum of sgd and rmsprop")->type_name("X")->group(group);
  number(command, "--weight-decay", training.weight_decay, "Weight decay of kernels; 0.01 is usual with adamw")
      ->type_name("X")
      ->group(group);
  number(command, "--gradient-clip", training.gradient_clip, "Largest norm of all gradients; 0: any")
      ->type_name("X")
      ->group(group);
  number(command, "--ema", training.ema,
         "Ship a moving average of the weights with this decay, say 0.999; 0: the weights")
      ->type_name("X")
      ->group(group);
  number(command, "--label-smoothing", training.label_smoothing, "Share of the target spread over all classes")
      ->type_name("X")
      ->group(group);
}

bool TrainOptions::is_for_quantization(const CLI::Option& option) {
  return option.get_group() == quantization_group || option.get_group() == recipes_group;
}

}  // namespace bitgrad::cli
