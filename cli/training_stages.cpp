// The stages of a run, and the phases of the quantized one: what decides their numbers, and where they are kept.
#include <nlohmann/json.hpp>

#include <bitgrad/cli/digest.hpp>
#include <bitgrad/cli/training_run.hpp>

namespace bitgrad::cli {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

/// Before all options are compared one by one: what a person sees as a file is a number there.
void TrainingRun::require_same_inputs(const Stage& stage, const Checkpoint& checkpoint) const {
  const Json theirs = Json::parse(checkpoint.options, nullptr, false), ours = Json::parse(stage.options);
  if (!theirs.is_object()) return;  // require_same_options() says so
  const auto differs = [&](const char* key) {
    return theirs.contains(key) && ours.contains(key) && theirs[key] != ours[key];
  };
  const std::string path = stage.path.string();
  if (differs("data") && !differs("hold_out"))  // or else that is the reason
    fail<ValueError>(path, ": made with other training images than those of --data ", arguments_.data,
                     " with these --limit and --hold-out");
  if (differs("from")) fail<ValueError>(path, ": made from other weights than those of --from ", arguments_.from);
  if (differs("init"))
    fail<ValueError>(path, ": made from other weights than those of --init ", arguments_.init, " with --init-layout ",
                     name_of(arguments_.init_layout));
}

TrainingRun::Stage TrainingRun::float_stage() const {
  Json options = {{"data", digest(train_)}, {"float", Json::parse(arguments_.float_training.to_json())}};
  if (arguments_.hold_out) options["hold_out"] = {{"share", *arguments_.hold_out}, {"seed", arguments_.hold_out_seed}};
  if (from_) options["from"] = from_digest_;
  if (init_) options["init"] = Json{{"file", from_digest_}, {"layout", name_of(arguments_.init_layout)}};
  // Which epoch a stage results in decides the numbers as well.
  if (arguments_.patience > 0) options["patience"] = arguments_.patience;
  if (arguments_.best) options["best"] = true;
  return {.name = "float",
          .path = directory_.float_checkpoint(),
          .best = directory_.best_float_checkpoint(),
          .training = arguments_.float_training,
          .options = options.dump(),
          .epochs = arguments_.float_training.epochs,
          .title = "float"};
}

TrainingRun::Stage TrainingRun::quantized_stage(std::size_t phase) const {
  Json options = Json::parse(float_stage().options);
  Json quantized = Json::parse(arguments_.quantized_training.to_json());
  quantized["weights"] = to_string(arguments_.quantization.weights);
  quantized["activations"] = to_string(arguments_.quantization.activations);
  quantized["first_last_bits"] = arguments_.quantization.first_last_bits;
  quantized["calibration"] = arguments_.calibration;
  // Only where they say something: checkpoints from before these options existed stay what they are.
  const QuantizationConfig& config = arguments_.quantization;
  if (config.calibration != Calibration{}) quantized["calibration_method"] = to_string(config.calibration);
  if (!config.overrides.empty()) quantized["bits"] = Json::parse(bits_json(config.overrides))["rules"];
  const std::vector<BitPhase>& gradual = arguments_.gradual;
  if (!gradual.empty()) quantized["gradual"] = to_string(gradual);
  options["quantized"] = quantized;
  Stage stage{.name = "quantized",
              .path = directory_.quantized_checkpoint(),
              .best = directory_.best_quantized_checkpoint(),
              .training = arguments_.quantized_training,
              .options = options.dump(),
              .epochs = arguments_.quantized_training.epochs,
              .title = "quantized"};
  if (gradual.empty()) return stage;
  stage.phase = phase;
  for (std::size_t i = 0; i < phase; ++i) stage.epochs_before += gradual[i].epochs;
  stage.training.epochs = gradual[phase].epochs;
  if (phase > 0) stage.training.activation_delay = 0;
  if (phase + 1 < gradual.size()) stage.training.frozen_batch_norm = 0;  // statistics are to settle on the last bits
  stage.title = message("quantized, ", gradual[phase].bits, gradual[phase].bits == 1 ? " bit" : " bits");
  return stage;
}

QuantizationConfig TrainingRun::quantization(std::size_t phase) const {
  if (arguments_.gradual.empty()) return arguments_.quantization;
  return at_least(arguments_.quantization, arguments_.gradual[phase].bits);
}

std::size_t TrainingRun::phase_of(const Stage& stage, const Checkpoint& checkpoint) const {
  if (!stage.phase) return 0;
  const double phase = checkpoint.progress.at("phase").item();
  if (!(phase >= 0 && phase < static_cast<double>(phases())))
    fail<ValueError>(stage.path.string(), ": checkpoint of phase ", phase, ", expected 0 to ", phases() - 1);
  return static_cast<std::size_t>(phase);
}

}  // namespace bitgrad::cli
