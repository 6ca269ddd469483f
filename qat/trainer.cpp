#include <bitgrad/qat/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/data/prefetched.hpp>
#include <bitgrad/core/parallel.hpp>
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
          .augmentation = data::in_sequence({data::parse_augmentation(options.augmentation), std::move(own)}),
          .mixup = options.mixup};
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
/// an epoch; a checkpoint within one keeps them.
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

/// `steps`: per epoch.
Schedule make_schedule(const TrainingOptions& options, Index steps) {
  const double rate = options.learning_rate;
  const Index all = options.epochs * steps;
  const auto warmup =
      std::min(all, static_cast<Index>(std::llround(options.warmup_epochs * static_cast<double>(steps))));
  const Index rest = std::max<Index>(1, all - warmup);
  const auto schedule = [&] {
    if (options.schedule == "constant" || options.schedule == "plateau") return constant_schedule(rate);
    if (options.schedule == "cosine") return cosine_schedule(rate, rest);
    if (options.schedule == "one-cycle") return one_cycle_schedule(rate, rest);
    if (options.schedule == "exponential")
      return exponential_schedule(rate, std::pow(0.01, 1.0 / static_cast<double>(rest)));
    return step_schedule(rate, {rest / 2, std::max(rest / 2 + 1, rest * 3 / 4)});
  };
  return warmup > 0 ? schedule().with_warmup(warmup) : schedule();
}

/// What an average is kept of: trainable parameters, and batch statistics, whose elements are shared.
std::vector<NamedParameter> averaged_tensors(const Model& model) {
  std::vector<NamedParameter> result =
      select_parameters(model.parameters(), [](const NamedParameter& named) { return named.parameter->trainable(); });
  for (const auto& [name, value] : model.buffers())
    if (value.dtype() == DType::float32) result.push_back({name, std::make_shared<Parameter>(name, value)});
  return result;
}

/// The first element that is not finite, as text; empty when all are.
std::string first_not_finite(const Tensor& tensor) {
  const auto values = tensor.span<float>();
  const auto found = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (found == values.end()) return "";
  return message("is ", *found, " at element ", found - values.begin(), " of shape ", tensor.shape());
}

}  // namespace

/// How fast it goes, since fit() was called or the epoch began.
class Trainer::Pace {
 public:
  explicit Pace(const Sums& sums) : sums_(sums), from_(sums.samples) {}
  double seconds() const { return seconds_since(start_); }
  double images_per_second() const { return static_cast<double>(sums_.samples - from_) / std::max(1e-9, seconds()); }

 private:
  const Sums& sums_;
  Index from_;
  Clock::time_point start_ = Clock::now();
};

Trainer::Trainer(Model& model, data::Dataset train, TrainingOptions options, data::Augmentation augmentation)
    : model_(model),
      options_(validated(std::move(options))),
      loader_(std::move(train), loader_options(options_, std::move(augmentation))),
      optimizer_(make_optimizer(options_, model)),
      schedule_(make_schedule(options_, steps_per_epoch())) {
  const Shape images = loader_.dataset().images.shape().without_front();
  if (model_.input_shape() != images)
    fail<ShapeError>("Trainer: the model takes samples of shape ", model_.input_shape(), ", the images are ", images);
  if (model_.output_shape() != Shape{loader_.dataset().classes})
    fail<ShapeError>("Trainer: the model's output is ", model_.output_shape(), ", expected one logit for each of ",
                     loader_.dataset().classes, " classes");
  if (options_.schedule == "plateau") plateau_.emplace();
  if (options_.ema > 0) average_.emplace(averaged_tensors(model_), options_.ema);
}

void Trainer::set_teacher(const Model& teacher) {
  if (teacher.input_shape() != model_.input_shape() || teacher.output_shape() != model_.output_shape())
    fail<ShapeError>("Trainer::set_teacher: the teacher maps ", teacher.input_shape(), " to ", teacher.output_shape(),
                     ", the model ", model_.input_shape(), " to ", model_.output_shape());
  teacher_ = teacher;
}

bool Trainer::fit(const TrainingCallbacks& callbacks) {
  if (options_.distillation > 0 && !teacher_)
    fail<StateError>("Trainer::fit: distillation is ", options_.distillation, " and there is no teacher");
  while (epoch_ < options_.epochs) {
    const Pace pace(sums_);
    if (!train_epoch(pace, callbacks)) return false;
    require_finite_parameters();
    ++epoch_;
    const EpochResult result{.epoch = epoch_,
                             .loss = sums_.mean_loss(),
                             .accuracy = sums_.accuracy(),
                             .learning_rate = optimizer_->learning_rate(),
                             .images_per_second = pace.images_per_second(),
                             .seconds = pace.seconds()};
    if (plateau_) plateau_->observe(result.loss);
    sums_ = {};
    if (callbacks.epoch) callbacks.epoch(result);
    if (callbacks.stop && callbacks.stop()) break;
  }
  return epoch_ >= options_.epochs;
}

/// False when it was stopped before the epoch's last step: behind that one it is asked with the epoch done.
bool Trainer::train_epoch(const Pace& pace, const TrainingCallbacks& callbacks) {
  const data::Epoch epoch = loader_.epoch(epoch_);
  if (sums_.batches == 0 && options_.optimizer != "sgd") set_relative_rates(*optimizer_, options_.qparams_rate);
  // Plain batches take less time than handing them over would.
  std::optional<data::Prefetched> ahead;
  if (epoch.augmented() && num_threads() > 1) ahead.emplace(epoch, sums_.batches);
  while (sums_.batches < epoch.size()) {
    train_step([&](Index number) { return ahead ? ahead->next() : epoch[number]; });
    if (callbacks.step) callbacks.step(progress(pace));
    if (sums_.batches < epoch.size() && callbacks.stop && callbacks.stop()) return false;
  }
  return true;
}

Progress Trainer::progress(const Pace& pace) const {
  const auto all = static_cast<double>(loader_.samples() * (options_.epochs - epoch_));
  const double speed = pace.images_per_second();
  return {.epoch = epoch_ + 1,
          .epochs = options_.epochs,
          .batch = sums_.batches,
          .batches = loader_.batches(),
          .loss = sums_.mean_loss(),
          .accuracy = sums_.accuracy(),
          .images_per_second = speed,
          .seconds_left = (all - static_cast<double>(sums_.samples)) / speed,
          .step_loss = step_loss_,
          .learning_rate = optimizer_->learning_rate()};
}

/// `batch_at(number)` is asked for the epoch's batches in order.
void Trainer::train_step(const std::function<data::Batch(Index)>& batch_at) {
  freeze_batch_norm(model_, batch_norm_frozen());
  delay_activation_quantizers(model_, activations_delayed());
  set_training_progress(model_, static_cast<double>(step_) / static_cast<double>(options_.epochs * steps_per_epoch()));
  const Random random = Random(options_.seed, step_stream).derive(static_cast<std::uint64_t>(step_));
  const Index first = sums_.batches, end = std::min(first + options_.accumulate, loader_.batches());
  const Index samples = std::min(end * options_.batch, loader_.samples()) - first * options_.batch;
  const double before = sums_.loss;
  optimizer_->zero_gradient();
  for (Index i = first; i < end; ++i) {
    const data::Batch batch = batch_at(i);
    Random own = i == first ? random : random.derive(static_cast<std::uint64_t>(i - first));
    add_gradient(batch, static_cast<double>(batch.size()) / static_cast<double>(samples),
                 {.training = true, .seed = own.next_u64()});
  }
  require_finite_gradients();
  if (options_.gradient_clip > 0) clip_gradient_norm(optimizer_->parameters(), options_.gradient_clip);
  optimizer_->set_learning_rate(schedule_.at(step_) * (plateau_ ? plateau_->factor() : 1));
  optimizer_->step();
  if (average_) average_->update();
  step_loss_ = (sums_.loss - before) / static_cast<double>(samples);
  ++step_;
}

/// Adds the gradient of a batch that has this share of the step's samples.
void Trainer::add_gradient(const data::Batch& batch, double share, const Context& context) {
  Tensor logits;
  double loss = 0;
  const Tensor teacher = options_.distillation > 0 ? teacher_->forward(batch.images).value() : Tensor();
  {
    Tape tape;
    const Variable output = model_.forward(batch.images, context);
    const Variable lost = objective(output, teacher, batch);
    loss = lost.value().item();
    if (!std::isfinite(loss)) explain_loss(loss, batch, context);
    logits = output.value();
    tape.backward(lost, Tensor::full(lost.shape(), share, lost.dtype()));
  }
  ++sums_.batches;
  sums_.samples += batch.size();
  sums_.correct += correct_count(logits, batch.labels);
  sums_.loss += loss * static_cast<double>(batch.size());
}

std::int64_t Trainer::steps_per_epoch() const { return chunk_count(loader_.batches(), options_.accumulate); }

Variable Trainer::loss_of_labels(const Variable& logits, const data::Batch& batch) const {
  if (batch.targets.defined()) return soft_cross_entropy(logits, batch.targets, options_.label_smoothing);
  return cross_entropy(logits, batch.labels, options_.label_smoothing);
}

Variable Trainer::objective(const Variable& logits, const Tensor& teacher, const data::Batch& batch) const {
  const double weight = options_.distillation;
  const auto from_labels = [&] { return loss_of_labels(logits, batch); };
  if (weight == 0) return from_labels();
  const Variable from_teacher = distillation(logits, teacher, options_.temperature);
  return weight == 1 ? from_teacher : from_labels() * (1 - weight) + from_teacher * weight;
}

bool Trainer::activations_delayed() const {
  return step_ < std::llround(options_.activation_delay * static_cast<double>(steps_per_epoch()));
}

bool Trainer::batch_norm_frozen() const {
  const std::int64_t all = options_.epochs * steps_per_epoch();
  return step_ >= all - std::llround(options_.frozen_batch_norm * static_cast<double>(all));
}

// ---- numbers that are not finite ----

void Trainer::explain_loss(double loss, const data::Batch& batch, const Context& context) {
  require_finite_parameters();
  std::string where = "in no operation: it cannot be reproduced";
  try {
    Tape tape;
    tape.check_finite(true);
    loss_of_labels(model_.forward(batch.images, context), batch);
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

Model Trainer::result() const {
  Model result = model_;
  if (average_) result.load_state_dict(average_->values(), LoadMode::partial);
  return result;
}

void fit(Model& model, const data::Dataset& train, const TrainingOptions& options, const TrainingCallbacks& callbacks) {
  Trainer trainer(model, train, options);
  trainer.fit(callbacks);
  if (options.ema > 0) model.load_state_dict(trainer.result().state_dict());
}

}  // namespace bitgrad
