#include <bitgrad/qat/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

namespace bitgrad {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t step_stream = 0x7374657073;  // "steps": apart from the streams of weights and shuffling

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

TrainingOptions validated(TrainingOptions options) {
  validate(options);
  return options;
}

data::LoaderOptions loader_options(const TrainingOptions& options, data::Augmentation own) {
  return {.batch_size = options.batch,
          .shuffle = true,
          .seed = options.seed,
          .augmentation = data::in_sequence({data::parse_augmentation(options.augmentation), std::move(own)})};
}

std::string place(std::int64_t epoch, std::int64_t step) {
  return message("epoch ", epoch + 1, ", step ", step + 1, ": ");
}

/// All but SGD step by the learning rate whatever the size of the gradient, while quantizer parameters range over
/// orders of magnitude (the step of 8 bits is 1/64 of that of 2 bits). So each gets a group of its own, for a rate of
/// its own.
std::vector<OptimizerGroup> with_single_qparams(const std::vector<OptimizerGroup>& groups) {
  std::vector<OptimizerGroup> result;
  for (const OptimizerGroup& group : groups) {
    OptimizerGroup others{{}, group.options};
    for (const NamedParameter& named : group.parameters) {
      if (named.parameter->group() != ParameterGroup::qparams) {
        others.parameters.push_back(named);
        continue;
      }
      result.push_back({{named}, group.options});
    }
    if (!others.parameters.empty()) result.push_back(std::move(others));
  }
  return result;
}

std::unique_ptr<Optimizer> make_optimizer(const TrainingOptions& options, const Model& model) {
  auto groups = group_parameters(
      model.parameters(), {.weight_decay = options.weight_decay, .qparams_learning_rate_scale = options.qparams_rate});
  if (options.optimizer == "adam") return std::make_unique<Adam>(with_single_qparams(groups));
  if (options.optimizer == "adamw") return std::make_unique<AdamW>(with_single_qparams(groups));
  if (options.optimizer == "rmsprop")
    return std::make_unique<Rmsprop>(with_single_qparams(groups), RmspropOptions{.momentum = options.momentum});
  return std::make_unique<Sgd>(std::move(groups),
                               SgdOptions{.momentum = options.momentum, .nesterov = options.momentum > 0});
}

/// The rate of every quantizer parameter in its unit: the one that it declares, or its magnitude. Done at the start of
/// an epoch, where checkpoints are.
void set_relative_rates(Optimizer& optimizer, double qparams_rate) {
  for (std::size_t i = 0; i < optimizer.groups().size(); ++i) {
    const OptimizerGroup& group = optimizer.groups()[i];
    if (group.parameters.empty() || group.parameters.front().parameter->group() != ParameterGroup::qparams) continue;
    ParameterGroupOptions options = group.options;
    const Parameter& parameter = *group.parameters.front().parameter;
    options.learning_rate_scale = qparams_rate * parameter.unit().value_or(root_mean_square(parameter.value()));
    optimizer.set_group_options(i, options);
  }
}

Schedule make_schedule(const TrainingOptions& options, Index batches) {
  const double rate = options.learning_rate;
  const Index all = options.epochs * batches;
  const auto warmup =
      std::min(all, static_cast<Index>(std::llround(options.warmup_epochs * static_cast<double>(batches))));
  const Index rest = std::max<Index>(1, all - warmup);
  const auto schedule = [&] {
    if (options.schedule == "constant") return constant_schedule(rate);
    if (options.schedule == "cosine") return cosine_schedule(rate, rest);
    if (options.schedule == "one-cycle") return one_cycle_schedule(rate, rest);
    if (options.schedule == "exponential")
      return exponential_schedule(rate, std::pow(0.01, 1.0 / static_cast<double>(rest)));
    return step_schedule(rate, {rest / 2, std::max(rest / 2 + 1, rest * 3 / 4)});
  };
  return warmup > 0 ? schedule().with_warmup(warmup) : schedule();
}

/// The first element that is not finite, as text; empty when all are.
std::string first_not_finite(const Tensor& tensor) {
  const auto values = tensor.span<float>();
  const auto found = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (found == values.end()) return "";
  return message("is ", *found, " at element ", found - values.begin(), " of shape ", tensor.shape());
}

}  // namespace

/// Sums over the running epoch.
struct Trainer::Running {
  Index batches = 0, samples = 0, correct = 0;
  double loss = 0;  // sum over samples
  double learning_rate = 0;
  Clock::time_point start = Clock::now();

  double images_per_second() const { return static_cast<double>(samples) / std::max(1e-9, seconds_since(start)); }
  double mean_loss() const { return loss / static_cast<double>(samples); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(samples); }
};

Trainer::Trainer(Model& model, data::Dataset train, TrainingOptions options, data::Augmentation augmentation)
    : model_(model),
      options_(validated(std::move(options))),
      loader_(std::move(train), loader_options(options_, std::move(augmentation))),
      optimizer_(make_optimizer(options_, model)),
      schedule_(make_schedule(options_, loader_.batches())) {
  const Shape images = loader_.dataset().images.shape().without_front();
  if (model_.input_shape() != images)
    fail<ShapeError>("Trainer: the model takes samples of shape ", model_.input_shape(), ", the images are ", images);
  if (model_.output_shape() != Shape{loader_.dataset().classes})
    fail<ShapeError>("Trainer: the model's output is ", model_.output_shape(), ", expected one logit for each of ",
                     loader_.dataset().classes, " classes");
}

void Trainer::fit(const TrainingCallbacks& callbacks) {
  while (epoch_ < options_.epochs) {
    Running running;
    train_epoch(running, callbacks);
    require_finite_parameters();
    ++epoch_;
    if (callbacks.epoch)
      callbacks.epoch({.epoch = epoch_,
                       .loss = running.mean_loss(),
                       .accuracy = running.accuracy(),
                       .learning_rate = running.learning_rate,
                       .images_per_second = running.images_per_second(),
                       .seconds = seconds_since(running.start)});
  }
}

void Trainer::train_epoch(Running& running, const TrainingCallbacks& callbacks) {
  if (options_.optimizer != "sgd") set_relative_rates(*optimizer_, options_.qparams_rate);
  for (const data::Batch& batch : loader_.epoch(epoch_)) {
    train_step(batch, running);
    if (!callbacks.step) continue;
    const auto all = static_cast<double>(loader_.samples() * (options_.epochs - epoch_));
    const double speed = running.images_per_second();
    callbacks.step({.epoch = epoch_ + 1,
                    .epochs = options_.epochs,
                    .batch = running.batches,
                    .batches = loader_.batches(),
                    .loss = running.mean_loss(),
                    .accuracy = running.accuracy(),
                    .images_per_second = speed,
                    .seconds_left = (all - static_cast<double>(running.samples)) / speed});
  }
}

void Trainer::train_step(const data::Batch& batch, Running& running) {
  freeze_batch_norm(model_, batch_norm_frozen());
  set_training_progress(model_, static_cast<double>(step_) / static_cast<double>(options_.epochs * loader_.batches()));
  const Context context{
      .training = true,
      .seed = Random(options_.seed, step_stream).derive(static_cast<std::uint64_t>(step_)).next_u64()};
  optimizer_->zero_gradient();
  Tensor logits;
  double loss = 0;
  {
    Tape tape;
    const Variable output = model_.forward(batch.images, context);
    const Variable objective = cross_entropy(output, batch.labels, options_.label_smoothing);
    loss = objective.value().item();
    if (!std::isfinite(loss)) explain_loss(loss, batch, context);
    logits = output.value();
    tape.backward(objective);
  }
  require_finite_gradients();
  if (options_.gradient_clip > 0) clip_gradient_norm(optimizer_->parameters(), options_.gradient_clip);
  running.learning_rate = schedule_.at(step_);
  optimizer_->set_learning_rate(running.learning_rate);
  optimizer_->step();
  ++step_;
  ++running.batches;
  running.samples += batch.size();
  running.correct += correct_count(logits, batch.labels);
  running.loss += loss * static_cast<double>(batch.size());
}

bool Trainer::batch_norm_frozen() const {
  const auto all = options_.epochs * loader_.batches();
  return step_ >= all - std::llround(options_.frozen_batch_norm * static_cast<double>(all));
}

// ---- numbers that are not finite ----

void Trainer::explain_loss(double loss, const data::Batch& batch, const Context& context) {
  require_finite_parameters();
  std::string where = "in no operation: it cannot be reproduced";
  try {
    Tape tape;
    tape.check_finite(true);
    cross_entropy(model_.forward(batch.images, context), batch.labels, options_.label_smoothing);
  } catch (const ValueError& error) {
    where = error.what();
  }
  fail<DivergenceError>(place(epoch_, step_), "the loss is ", loss, "; it first appeared here: ", where);
}

void Trainer::require_finite_gradients() const {
  // Gradients are made from the loss to the input: the last parameter that has a bad one got it first.
  const std::vector<NamedParameter> parameters = model_.parameters();
  for (auto at = parameters.rbegin(); at != parameters.rend(); ++at) {
    if (!at->parameter->has_gradient()) continue;
    if (const std::string found = first_not_finite(at->parameter->gradient()); !found.empty())
      fail<DivergenceError>(place(epoch_, step_), "the gradient of \"", at->name, "\" ", found);
  }
}

void Trainer::require_finite_parameters() const {
  for (const NamedParameter& each : model_.parameters())
    if (const std::string found = first_not_finite(each.parameter->value()); !found.empty())
      fail<DivergenceError>(place(epoch_, step_), "\"", each.name, "\" ", found, " after the step before");
}

// ---- checkpoints ----

void Trainer::store(Checkpoint& checkpoint) const {
  checkpoint.epoch = epoch_;
  checkpoint.step = step_;
  checkpoint.seed = options_.seed;
  checkpoint.state = model_.state_dict();
  checkpoint.optimizer = optimizer_->state();
}

void Trainer::restore(const Checkpoint& checkpoint) {
  if (checkpoint.seed != options_.seed)
    fail<ValueError>("Trainer::restore: the checkpoint has seed ", checkpoint.seed, ", the trainer ", options_.seed);
  if (checkpoint.step != checkpoint.epoch * loader_.batches())
    fail<ValueError>("Trainer::restore: the checkpoint has ", checkpoint.step, " steps in ", checkpoint.epoch,
                     " epochs, here an epoch has ", loader_.batches());
  model_.load_state_dict(checkpoint.state);
  optimizer_->load_state(checkpoint.optimizer);
  epoch_ = checkpoint.epoch;
  step_ = checkpoint.step;
}

void fit(Model& model, const data::Dataset& train, const TrainingOptions& options, const TrainingCallbacks& callbacks) {
  Trainer(model, train, options).fit(callbacks);
}

}  // namespace bitgrad
