#include <bitgrad/autograd/reduce_on_plateau.hpp>

#include <cmath>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

double scalar(const NamedTensors& state, const char* name, DType dtype) {
  const Tensor* found = state.find(name);
  if (!found) fail<ValueError>("ReduceOnPlateau: '", name, "' is missing in the state");
  if (found->size() != 1 || found->dtype() != dtype)
    fail<ValueError>("ReduceOnPlateau: '", name, "' in the state is ", found->dtype(), " ", found->shape(),
                     ", expected one ", dtype);
  return found->item();
}

}  // namespace

ReduceOnPlateau::ReduceOnPlateau(const PlateauOptions& options) : options_(options) {
  if (!(options.factor > 0 && options.factor < 1))
    fail<ValueError>("ReduceOnPlateau: factor is ", options.factor, ", expected more than 0 and less than 1");
  if (options.patience < 0) fail<ValueError>("ReduceOnPlateau: patience is ", options.patience, ", expected 0 or more");
  if (!(options.threshold >= 0 && options.threshold < 1))
    fail<ValueError>("ReduceOnPlateau: threshold is ", options.threshold, ", expected at least 0 and less than 1");
}

void ReduceOnPlateau::observe(double loss) {
  if (!std::isfinite(loss)) fail<ValueError>("ReduceOnPlateau: the loss is ", loss, ", expected a finite number");
  if (loss < best_ * (1 - options_.threshold)) {
    best_ = loss;
    bad_epochs_ = 0;
  } else if (++bad_epochs_ > options_.patience) {
    factor_ *= options_.factor;
    bad_epochs_ = 0;
  }
}

NamedTensors ReduceOnPlateau::state() const {
  return {{"factor", Tensor::scalar(factor_, DType::float64)},
          {"best", Tensor::scalar(best_, DType::float64)},
          {"bad_epochs", Tensor::scalar(bad_epochs_, DType::int32)}};
}

void ReduceOnPlateau::load_state(const NamedTensors& state) {
  const double factor = scalar(state, "factor", DType::float64), best = scalar(state, "best", DType::float64);
  const double bad_epochs = scalar(state, "bad_epochs", DType::int32);
  if (!(factor >= 0 && factor <= 1))
    fail<ValueError>("ReduceOnPlateau: 'factor' in the state is ", factor, ", expected 0 to 1");
  if (std::isnan(best)) fail<ValueError>("ReduceOnPlateau: 'best' in the state is nan, expected a loss or infinity");
  if (!(bad_epochs >= 0 && bad_epochs <= options_.patience))
    fail<ValueError>("ReduceOnPlateau: 'bad_epochs' in the state is ", bad_epochs, ", expected 0 to ",
                     options_.patience);
  factor_ = factor;
  best_ = best;
  bad_epochs_ = static_cast<int>(bad_epochs);
}

}  // namespace bitgrad
