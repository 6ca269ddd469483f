// Trainer::store() and Trainer::restore(): all that training needs to continue to the byte.
#include <vector>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/trainer.hpp>

namespace bitgrad {
namespace {

// In the progress of a checkpoint: what training goes on with where the state is an average, and the plateau's memory.
const std::string live_prefix = "live/";
const std::string plateau_prefix = "plateau/";

}  // namespace

void Trainer::store(Checkpoint& checkpoint) const {
  checkpoint.epoch = epoch_;
  checkpoint.step = step_;
  checkpoint.seed = options_.seed;
  checkpoint.state = model_.state_dict();
  checkpoint.optimizer = optimizer_->state();
  checkpoint.progress = {};
  if (average_) store_average(checkpoint);
  if (plateau_)
    for (const auto& [name, tensor] : plateau_->state()) checkpoint.progress.add(plateau_prefix + name, tensor);
  if (sums_.batches == 0) return;
  const std::vector<double> sums{static_cast<double>(sums_.batches), static_cast<double>(sums_.samples),
                                 static_cast<double>(sums_.correct), sums_.loss};
  std::vector<double> rates;
  for (const OptimizerGroup& group : optimizer_->groups()) rates.push_back(group.options.learning_rate_scale);
  checkpoint.progress.add("epoch_sums", Tensor::from({4}, sums));
  checkpoint.progress.add("learning_rate_scales", Tensor::from({static_cast<Index>(rates.size())}, rates));
}

void Trainer::restore(const Checkpoint& checkpoint) {
  if (checkpoint.seed != options_.seed)
    fail<ValueError>("Trainer::restore: the checkpoint has seed ", checkpoint.seed, ", the trainer ", options_.seed);
  const bool within = checkpoint.progress.contains("epoch_sums");
  if (!within && checkpoint.step != checkpoint.epoch * steps_per_epoch())
    fail<ValueError>("Trainer::restore: the checkpoint has ", checkpoint.step, " steps in ", checkpoint.epoch,
                     " epochs, here an epoch has ", steps_per_epoch());
  model_.load_state_dict(checkpoint.state);
  if (average_) restore_average(checkpoint);
  if (plateau_) restore_plateau(checkpoint);
  optimizer_->load_state(checkpoint.optimizer);
  epoch_ = checkpoint.epoch;
  step_ = checkpoint.step;
  sums_ = {};
  if (within) restore_sums(checkpoint);
}

void Trainer::store_average(Checkpoint& checkpoint) const {
  const NamedTensors live = model_.state_dict();
  for (const std::string& name : average_->values().names()) checkpoint.progress.add(live_prefix + name, live.at(name));
  checkpoint.progress.add("average_steps", average_->state().at("steps"));
  checkpoint.state = result().state_dict();
}

void Trainer::restore_average(const Checkpoint& checkpoint) {
  NamedTensors state{{"steps", checkpoint.progress.at("average_steps")}}, live;
  for (const std::string& name : average_->values().names()) {
    state.add(name + "/average", checkpoint.state.at(name));
    live.add(name, checkpoint.progress.at(live_prefix + name));
  }
  average_->load_state(state);
  model_.load_state_dict(live, LoadMode::partial);
}

void Trainer::restore_plateau(const Checkpoint& checkpoint) {
  NamedTensors state;
  for (const auto& [name, tensor] : checkpoint.progress)
    if (name.starts_with(plateau_prefix)) state.add(name.substr(plateau_prefix.size()), tensor);
  plateau_->load_state(state);
}

void Trainer::restore_sums(const Checkpoint& checkpoint) {
  const Tensor& sums = checkpoint.progress.at("epoch_sums");
  const Tensor& rates = checkpoint.progress.at("learning_rate_scales");
  const auto groups = static_cast<Index>(optimizer_->groups().size());
  if (sums.dtype() != DType::float64 || sums.shape() != Shape{4} || rates.dtype() != DType::float64 ||
      rates.shape() != Shape{groups})
    fail<ShapeError>("Trainer::restore: the progress of the checkpoint is ", sums.dtype(), ' ', sums.shape(), " and ",
                     rates.dtype(), ' ', rates.shape(), ", expected float64 (4) and (", groups, ")");
  const std::span<const double> values = sums.span<double>();
  sums_ = {static_cast<Index>(values[0]), static_cast<Index>(values[1]), static_cast<Index>(values[2]), values[3]};
  const std::int64_t step = epoch_ * steps_per_epoch() + chunk_count(sums_.batches, options_.accumulate);
  if (step_ != step || sums_.batches < 1 || sums_.batches >= loader_.batches() ||
      sums_.samples != sums_.batches * options_.batch)
    fail<ValueError>("Trainer::restore: the checkpoint has ", step_, " steps, ", epoch_, " epochs, ", sums_.batches,
                     " batches and ", sums_.samples, " samples of the next; here an epoch has ", steps_per_epoch(),
                     " steps and ", loader_.batches(), " batches of ", options_.batch);
  for (Index i = 0; i < groups; ++i) {
    const auto group = static_cast<std::size_t>(i);
    ParameterGroupOptions options = optimizer_->groups()[group].options;
    options.learning_rate_scale = rates.span<double>()[group];
    optimizer_->set_group_options(group, options);
  }
}

}  // namespace bitgrad
