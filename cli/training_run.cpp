#include <bitgrad/cli/training_run.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <bitgrad/cli/best_epoch.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/digest.hpp>
#include <bitgrad/cli/interruption.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/progress.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/data/hold_out.hpp>
#include <bitgrad/core/data/loader.hpp>
#include <bitgrad/core/io/tensor_file.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad::cli {
namespace {

Shape image_shape(const data::Dataset& dataset) { return dataset.images.shape().without_front(); }

}  // namespace

TrainingRun::TrainingRun(TrainArguments arguments) : arguments_(std::move(arguments)), directory_{arguments_.out} {
  use_threads(arguments_.threads);
  train_ = load_limited(arguments_.data, data::Split::train, arguments_.limit);
  if (arguments_.hold_out) {
    auto [rest, held] = data::hold_out(train_, *arguments_.hold_out, arguments_.hold_out_seed);
    train_ = std::move(rest);
    test_ = std::move(held);
  } else {
    test_ = load_limited(arguments_.data, data::Split::test, arguments_.limit);
  }
  if (!arguments_.from.empty()) {
    from_ = read_checkpoint(arguments_.from);
    from_digest_ = hexadecimal(fnv1a(io::read_file(arguments_.from)));
    if (arguments_.model.empty()) arguments_.model = from_->model;
    require_same_model(arguments_.from, *from_);
    if (from_->stage != "float")
      fail<ValueError>(arguments_.from, ": checkpoint of a ", from_->stage,
                       " model, --from needs one of a float model");
  }
  if (!arguments_.init.empty()) {
    init_ = io::read_tensor_file(arguments_.init);
    from_digest_ = hexadecimal(fnv1a(io::read_file(arguments_.init)));
  }
  require_trainable();  // before anything in the directory is touched
  directory_.create();
  lock_.emplace(directory_);
  directory_.remove_abandoned();
  if (!arguments_.resume) directory_.clear();
  if (arguments_.resume && !arguments_.quantizes() && std::filesystem::exists(directory_.quantized_checkpoint()))
    throw UsageError("--resume: " + directory_.quantized_checkpoint().string() +
                     " belongs to a run with quantizers: give --weights, --activations and --qat-epochs as before");
  // A run that goes on keeps its own; before its first checkpoint nothing has come of it, and paths may be others.
  if (!arguments_.resume || !std::filesystem::exists(directory_.configuration()) ||
      !std::filesystem::exists(directory_.float_checkpoint())) {
    for (const Stage& stage : {float_stage(), quantized_stage(0)}) saved(stage);  // refuses those of other options
    io::write_file_atomically(directory_.configuration(), std::string_view(arguments_.configuration));
  }
  metrics_.emplace(directory_.metrics());
  if (arguments_.tensorboard) events_.emplace(directory_.path);
}

Model TrainingRun::start_model() const {
  if (from_) return restore_model(*from_);
  Model fresh = models::make(arguments_.model, image_shape(train_), train_.classes);
  fresh.build(image_shape(train_), arguments_.float_training.seed);
  const NamedTensors normalization = models::normalization_state(fresh, data::channel_statistics(train_.images));
  fresh.load_state_dict(normalization, LoadMode::partial);
  if (init_) load_initial_weights(fresh, normalization);
  return fresh;
}

void TrainingRun::load_initial_weights(Model& model, const NamedTensors& normalization) const {
  const auto is_checkpoint = [](const NamedTensors::Entry& entry) { return entry.first.starts_with("model/"); };
  if (std::ranges::any_of(*init_, is_checkpoint))
    fail<ValueError>(arguments_.init, ": a checkpoint of bitgrad, which --from takes");
  NamedTensors weights = *init_;
  for (const auto& [name, value] : normalization)
    if (!weights.find(name)) weights.add(name, value);
  try {
    import_weights(model, weights, arguments_.init_layout);
  } catch (const ShapeError& error) {
    fail<ShapeError>(arguments_.init, ": ", error.what());
  } catch (const ValueError& error) {
    fail<ValueError>(arguments_.init, ": ", error.what());
  }
}

void TrainingRun::require_trainable() const {
  const auto augmentation = data::parse_augmentation(arguments_.float_training.augmentation);
  data::Loader(train_, {.batch_size = 1, .limit = 1, .augmentation = augmentation}).epoch(0)[0];  // images large enough
  const Model start = start_model();
  if (!arguments_.quantizes()) return;
  const Tensor few = data::to_unit_range(train_.images.rows(0, std::min<Index>(8, train_.size())));
  for (std::size_t phase = 0; phase < phases(); ++phase)  // bits that no accumulator holds are refused by conversion
    convert2inferable(attach_quantizers(start, plan_quantization(start, few, quantization(phase))));
}

void TrainingRun::run() {
  if (is_finished()) {
    report_ = read_report(directory_);
    if (events_) events_->follow(metrics_->rows());
    std::cout << "finished before; ";
    return say_outcome();
  }
  const Interruption interruption;
  Model model = train_float();
  report_.float_accuracy = 100 * accuracy(model, test_);
  report_.float_bytes = static_cast<std::int64_t>(convert2inferable(model).weight_bytes());
  report_.parameters = model.parameter_count();
  if (arguments_.quantizes()) model = train_quantized(model);
  if (Interruption::requested()) stop_here();
  convert_and_verify(model);
}

/// The page is the last file of a run. One that failed its verification is verified again.
bool TrainingRun::is_finished() const {
  if (!arguments_.resume || !std::filesystem::exists(directory_.report()) ||
      !std::filesystem::exists(directory_.page()) || read_report(directory_).differing_codes > 0)
    return false;
  for (const Stage& stage : {float_stage(), quantized_stage(0)}) saved(stage);  // refuses other options and data
  return true;
}

// ---- the two stages ----

Model TrainingRun::train_float() {
  const Stage stage = float_stage();
  const std::optional<Checkpoint> checkpoint = saved(stage);
  Model model = checkpoint ? restore_model(*checkpoint) : start_model();
  train(model, stage, "", checkpoint);
  return model;
}

Model TrainingRun::train_quantized(const Model& float_model) {
  Stage stage = quantized_stage(0);
  const std::optional<Checkpoint> checkpoint = saved(stage);
  std::size_t phase = checkpoint ? phase_of(stage, *checkpoint) : 0;
  stage = quantized_stage(phase);
  if (checkpoint) plan_ = checkpoint->plan;
  Model model = checkpoint ? restore_model(*checkpoint) : quantized(float_model, phase);
  train(model, stage, plan_, checkpoint, &float_model);
  while (++phase < phases()) {
    model = quantized(with_learned_weights(float_model, model), phase);
    train(model, quantized_stage(phase), plan_, std::nullopt, &float_model);
  }
  return model;
}

Model TrainingRun::quantized(const Model& float_model, std::size_t phase) {
  const Index images = std::min(arguments_.calibration, train_.size());
  const Tensor representative = data::to_unit_range(train_.images.rows(0, images));
  const QuantizationPlan plan = plan_quantization(float_model, representative, quantization(phase));
  plan_ = plan.to_json();
  return attach_quantizers(float_model, plan);
}

// ---- checkpoints ----

void TrainingRun::require_same_model(const io::Path& path, const Checkpoint& checkpoint) const {
  if (checkpoint.model != arguments_.model)
    fail<ValueError>(path.string(), ": checkpoint of model \"", checkpoint.model, "\", expected \"", arguments_.model,
                     '"');
  if (checkpoint.input_shape != image_shape(train_) || checkpoint.classes != train_.classes)
    fail<ValueError>(path.string(), ": checkpoint for images of ", checkpoint.input_shape, " in ", checkpoint.classes,
                     " classes, the data set has ", image_shape(train_), " in ", train_.classes);
}

std::optional<Checkpoint> TrainingRun::saved(const Stage& stage) const {
  if (!arguments_.resume || !std::filesystem::exists(stage.path)) return std::nullopt;
  Checkpoint checkpoint = read_checkpoint(stage.path);
  require_same_model(stage.path, checkpoint);
  if (checkpoint.stage != stage.name)
    fail<ValueError>(stage.path.string(), ": checkpoint of stage \"", checkpoint.stage, "\", expected \"", stage.name,
                     '"');
  require_same_inputs(stage, checkpoint);
  require_same_options(stage.path.string(), checkpoint.options, stage.options);
  return checkpoint;
}

void TrainingRun::train(Model& model, const Stage& stage, const std::string& plan,
                        const std::optional<Checkpoint>& saved, const Model* teacher) {
  Trainer trainer(model, train_, stage.training);
  if (teacher && stage.training.distillation > 0) trainer.set_teacher(*teacher);
  BestEpoch best;
  if (saved) {
    trainer.restore(*saved);
    best.restore(saved->progress);
  }
  Checkpoint checkpoint{.model = arguments_.model,
                        .input_shape = image_shape(train_),
                        .classes = train_.classes,
                        .stage = stage.name,
                        .epoch = saved ? saved->epoch : 0,
                        .options = stage.options,
                        .plan = plan};
  const auto save = [&](const io::Path& path) {
    trainer.store(checkpoint);
    best.store(checkpoint.progress);
    if (stage.phase) checkpoint.progress.add("phase", Tensor::scalar(static_cast<double>(*stage.phase), DType::int32));
    write_checkpoint(path, checkpoint);
  };
  metrics_->resume_after(stage.name, stage.epochs_before + trainer.epochs_done());
  if (events_) events_->follow(metrics_->rows());
  if (!saved) save(stage.path);

  ProgressDisplay display(stage.title + (stage.phase ? "," : ""));
  const auto step_done = [&](Progress progress) {
    progress.epoch += stage.epochs_before;
    progress.epochs = stage.epochs;
    display.step(progress);
    const bool due = arguments_.save_every > 0 && trainer.steps_done() % arguments_.save_every == 0;
    if (due && progress.batch < progress.batches) save(stage.path);
  };
  const auto epoch_done = [&](EpochResult result) {
    const std::int64_t epoch = result.epoch;  // of the phase
    result.epoch += stage.epochs_before;
    const double test_accuracy = 100 * evaluated(trainer.result(), result.epoch);
    // The row and the best model first: if the process dies before the checkpoint is written, --resume does the epoch
    // again, and both.
    metrics_->add({.stage = stage.name,
                   .epoch = result.epoch,
                   .train_loss = result.loss,
                   .train_accuracy = 100 * result.accuracy,
                   .test_accuracy = test_accuracy,
                   .learning_rate = result.learning_rate,
                   .images_per_second = result.images_per_second,
                   .seconds = result.seconds});
    if (events_) events_->follow(metrics_->rows());
    if (best.add(epoch, test_accuracy) && arguments_.best) save(stage.best);
    save(stage.path);
    display.epoch(result, stage.epochs, test_accuracy);
  };
  const auto stop = [&] { return Interruption::requested() || best.exhausted(arguments_.patience); };
  try {
    const bool done = best.exhausted(arguments_.patience) ||
                      trainer.fit({.step = step_done, .epoch = epoch_done, .stop = stop}) ||
                      best.exhausted(arguments_.patience);
    if (!done) {
      save(stage.path);
      stop_here();
    }
  } catch (const DivergenceError& error) {
    fail<DivergenceError>(error.what(), "; the last good checkpoint is ", stage.path.string(), ", of epoch ",
                          stage.epochs_before + checkpoint.epoch);
  }
  if (best.exhausted(arguments_.patience) && trainer.epochs_done() < stage.training.epochs)
    std::cout << stage.title << ": ended " << arguments_.patience << " epochs after the best, as --patience says\n";
  if (arguments_.best && best.epoch() > 0) {
    std::cout << stage.title << ": the best epoch, " << stage.epochs_before + best.epoch() << ", with "
              << format("%.2f %%", best.accuracy()) << std::endl;
    model.load_state_dict(read_checkpoint(stage.best).state);
  } else if (stage.training.ema > 0) {
    model.load_state_dict(trainer.result().state_dict());
  }
}

void TrainingRun::stop_here() const {
  fail<Interrupted>("stopped; everything is saved in ", directory_.path.string(), ", and --resume goes on from there");
}

/// After an epoch. Numbers that are too large for the loss to show may meet NaN here, or be too large for integers.
double TrainingRun::evaluated(const Model& model, std::int64_t epoch) const {
  try {
    return accuracy(model, test_);
  } catch (const ValueError& error) {
    fail<DivergenceError>("epoch ", epoch, ": what was trained cannot be evaluated: ", error.what());
  }
}

}  // namespace bitgrad::cli
