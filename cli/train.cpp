// bitgrad train
#include <CLI/App.hpp>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/quantizer_list.hpp>
#include <bitgrad/cli/train_arguments.hpp>
#include <bitgrad/cli/training_run.hpp>
#include <bitgrad/core/data/augmentation.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* outputs =
    R"(DIR receives float.safetensors and quantized.safetensors (checkpoints, every epoch), graph/ (the frozen integers:
graph.json and graph.npz), metrics.csv (a row per epoch; with --tensorboard the same in events.out.tfevents.*),
report.json, report.html (to look at) and run.json (all options, for --config). Ctrl-C ends after the step with
everything saved, and --resume goes on from there, as after kill -9. An option that would change nothing is refused,
--momentum with adam, say; a FILE of --config may hold such options, since it may serve several runs.

The FILE of --bits holds exceptions for single layers, by name or type; numbers are bits:
  {"format": "bitgrad.bits", "version": 1,
   "rules": [{"type": "Dense", "weights": 8}, {"layer": "conv2", "weights": "lsq-pot:2", "activations": 4}]}
)";

constexpr const char* phases = R"(
With --gradual 8,4,2 no quantizer has fewer than 8 bits in the first phase, 4 in the second and 2 in the third, which is
as --weights, --activations and --bits say (unless given, lsq with the last bits). Each phase is a training of its own,
with its schedule: it goes on with the weights, on quantizers that are calibrated anew.
)";

constexpr const char* augmentations = R"(
Steps of --augment, joined by commas and done in this order; every image draws anew in every epoch:
)";

constexpr const char* quantizers = R"(
Quantizers and their grids:
)";

constexpr const char* examples = R"(
Examples:
  Train a float model:
    bitgrad train --data fashion-mnist --model fashion_cnn --epochs 8 --out runs/float
  Quantize it to 4 bits and train 4 epochs more:
    bitgrad train --from runs/float --qat-epochs 4 --weights lsq:4 --activations lsq:4 --out runs/w4a4
  Both in one go, 2-bit weights on power-of-two grids:
    bitgrad train --model lenet5 --epochs 3 --qat-epochs 3 --weights lsq-pot:2 --activations lsq:4 --out runs/pot
  Calibrate only, without training:
    bitgrad train --from runs/float --weights lsq:8 --activations lsq:8 --out runs/calibrated
  Mixed precision from a file, starting values by Kullback-Leibler divergence:
    bitgrad train --model lenet5 --epochs 3 --qat-epochs 3 --bits bits.json --calibration-method kl --out runs/mixed
  To 2 bits in three phases:
    bitgrad train --from runs/float --gradual 8:2,4:2,2:4 --weights lsq:2 \
        --activations lsq:4 --out runs/w2a4
  CIFAR-10 with augmentation, tested on a tenth of the training images:
    bitgrad train --data cifar10 --model resnet8 --augment flip,crop:4 --hold-out 0.1 --epochs 25 --out runs/resnet8
  Continue after an interruption:
    bitgrad train --out runs/lenet5 --resume
  The same run again, with another seed:
    bitgrad train --config runs/lenet5/run.json --seed 2 --out runs/lenet5-2)";

}  // namespace

void add_train_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a model, quantize it, convert it and verify it");
  command->footer(outputs + TrainOptions::describe_spec() + phases + augmentations + data::describe_augmentations() +
                  quantizers + quantizer_list() + examples);
  const auto options = std::make_shared<TrainOptions>();
  options->declare(*command);
  command->callback([options, command] { TrainingRun(options->resolve(*command)).run(); });
}

}  // namespace bitgrad::cli
