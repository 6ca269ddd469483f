#include <bitgrad/quantizers/detail/conformance/gradients.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/quantizers/detail/conformance/checks.hpp>
#include <bitgrad/quantizers/detail/conformance/outputs.hpp>

namespace bitgrad::conformance {
namespace {

std::vector<ParameterPtr> trainable_of(const BaseTrainableQuantizer& quantizer) {
  std::vector<ParameterPtr> result;
  for (const auto& variable : quantizer.variables())
    if (variable.parameter->trainable()) result.push_back(variable.parameter);
  return result;
}

TrainablePtr in_double(const BaseTrainableQuantizer& quantizer) {
  TrainablePtr copy = quantizer.clone();
  for (const auto& variable : copy->variables()) variable.parameter->convert(DType::float64);
  return copy;
}

double norm(const Tensor& tensor) {
  double sum = 0;
  for (const double value : tensor.span<double>()) sum += value * value;
  return std::sqrt(sum);
}

class GradientChecks {
 public:
  GradientChecks(const BaseTrainableQuantizer& q, int rank, const std::string& state, const ConformanceOptions& options,
                 Recorder& recorder)
      : q_(q),
        state_(state),
        recorder_(recorder),
        converted_(q.convert2inferable()),
        ruler_(ruler_of(converted_->grid())) {
    for (const int beyond : {0, 3})
      probes_.emplace_back(ruler_, rank, random_positions(ruler_, 24, beyond, options.seed));
  }

  void run() {
    for (const Probe& probe : probes_) {
      check("in double", [&] { against_differences(probe); });
      check("in float32", [&] { float_against_double(probe); });
    }
    check("constants", [&] { finite(); });
  }

 private:
  template <class Check>
  void check(const char* what, Check&& f) {
    recorder_.check(Property::gradient, state_ + what, f);
  }
  void find(const std::string& input, const std::string& values) {
    recorder_.find(Property::gradient, state_ + input, values);
  }

  /// Against central differences of the declared surrogate.
  void against_differences(const Probe& probe) {
    const TrainablePtr quantizer = in_double(q_);
    const auto f = [&](const std::vector<Variable>& inputs) { return (*quantizer)(inputs[0], true); };
    const GradientReport report =
        check_gradients(f, {probe.x}, trainable_of(*quantizer), {.step = 1e-6, .tolerance = 1e-5});
    if (!report.passed) find(message(probe.x.size(), " inputs in double, input 0 being x"), message(report));
  }

  /// What trains is float32, perhaps by other code.
  void float_against_double(const Probe& probe) {
    const TrainablePtr single = q_.clone(), twice = in_double(q_);
    const std::vector<Tensor> found = outputs_and_gradients(*single, probe.x),
                              expected = outputs_and_gradients(*twice, probe.x.to(DType::float64));
    const auto elements = static_cast<double>(probe.x.size());
    const double tolerance = 1e-3 + 2e-6 * (ruler_.hi - ruler_.lo);
    for (Index i = 0; i < probe.x.size(); ++i) {
      const double a = static_cast<double>(found[1].data<float>()[i]), b = expected[1].data<double>()[i];
      if (!(std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b))))
        return find(message("gradient of x, ", probe.name(i)), message(a, " in float32, ", b, " in double"));
    }
    for (std::size_t v = 2; v < found.size(); ++v) {
      const Tensor a = found[v].to(DType::float64), &b = expected[v];
      Tensor difference = a.clone();
      for (Index i = 0; i < a.size(); ++i) difference.data<double>()[i] -= b.data<double>()[i];
      if (!(norm(difference) <= tolerance * norm(b) + 1e-6 * elements))
        return find(message("gradient of ", trainable_of(*single)[v - 2]->name(), " over ", probe.x.size(), " inputs"),
                    message(a, " in float32, ", b, " in double"));
    }
  }

  /// Nothing, next to nothing and a lot.
  void finite() {
    for (const double value : {0.0, 1e-30, -1e-30, 1e30, -1e30}) {
      const TrainablePtr quantizer = q_.clone();
      for (const Tensor& gradient : outputs_and_gradients(*quantizer, Tensor::full(probes_[0].x.shape(), value)))
        for (const float element : gradient.span<float>())
          if (!std::isfinite(element)) return find(message("all elements ", value), message("a gradient is ", element));
    }
  }

  const BaseTrainableQuantizer& q_;
  std::string state_;
  Recorder& recorder_;
  InferablePtr converted_;
  Ruler ruler_;
  std::vector<Probe> probes_;
};

}  // namespace

std::vector<Tensor> outputs_and_gradients(BaseTrainableQuantizer& quantizer, const Tensor& x) {
  Tensor seed(x.shape());
  Random random(1);
  random.fill_uniform(seed, 0.5, 2);
  seed = seed.to(x.dtype());
  for (const auto& variable : quantizer.variables()) variable.parameter->zero_gradient();
  Tape tape;
  const Variable leaf = tape.watch(x);
  const Variable y = quantizer(leaf, true);
  tape.backward(y, seed);
  std::vector<Tensor> result{y.value(), tape.gradient(leaf)};
  for (const ParameterPtr& parameter : trainable_of(quantizer)) result.push_back(parameter->gradient().clone());
  return result;
}

void check_gradient(const BaseTrainableQuantizer& quantizer, int rank, const std::string& state,
                    const ConformanceOptions& options, Recorder& recorder) {
  GradientChecks(quantizer, rank, state, options, recorder).run();
}

}  // namespace bitgrad::conformance
