#include <bitgrad/autograd/gradcheck.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>

#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad {
namespace {

/// Something whose gradient is checked: an input or a parameter.
struct Checked {
  std::string name;
  Tensor value;     // perturbed in place
  Tensor poison;    // what the gradient buffer holds before
  Tensor gradient;  // the analytic one, with the poison taken off
};

Tensor random_like(const Tensor& x, Random& random) {
  Tensor result(x.shape(), DType::float64);
  random.fill_uniform(result, 0.5, 2.0);  // away from zero, so that nothing cancels or disappears by chance
  for (double& value : result.span<double>())
    if (random.below(2) == 0) value = -value;
  return result;
}

class GradientCheck {
 public:
  GradientCheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                const std::vector<ParameterPtr>& parameters, const GradientCheckOptions& options)
      : f_(f), parameters_(parameters), options_(options), random_(options.seed) {
    for (const Tensor& input : inputs) {
      Tensor value = input.dtype() == DType::float64 ? input.clone() : input.to(DType::float64);
      checked_.push_back({message("input ", checked_.size()), value, random_like(value, random_), {}});
      inputs_.emplace_back(value);
    }
    for (const ParameterPtr& parameter : parameters) {
      if (parameter->value().dtype() != DType::float64)
        fail<ShapeError>("check_gradients: parameter ", parameter->name(), " is ", parameter->value().dtype(),
                         ", expected float64: call convert(DType::float64) on every parameter");
      if (!parameter->trainable())
        fail<ValueError>("check_gradients: parameter ", parameter->name(), " is not trainable");
      checked_.push_back({parameter->name(), parameter->value(), random_like(parameter->value(), random_), {}});
    }
  }

  GradientReport run() {
    Tensor recorded;
    const auto replayed = replay::record([&] { recorded = f_(inputs_).value().clone(); });
    base_pass(recorded);
    GradientReport report;
    for (const Checked& checked : checked_)
      for (const Index element : elements_of(checked))
        compare(checked, element, difference(replayed, checked, element), report);
    for (const ParameterPtr& parameter : parameters_) parameter->zero_gradient();
    return report;
  }

 private:
  /// Forward and backward as in training; leaves the analytic gradients in checked_.
  void base_pass(const Tensor& recorded) {
    Tape tape;
    std::vector<Variable> leaves;
    for (const Variable& input : inputs_) leaves.push_back(tape.watch(input.value()));
    const Variable output = f_(leaves);
    require_finite(output.value(), "the output");
    if (output.shape() != recorded.shape() ||
        !std::ranges::equal(output.value().span<double>(), recorded.span<double>()))
      fail<StateError>("check_gradients: the function computes different outputs in two calls with the same inputs");
    projection_ = random_like(output.value(), random_);
    std::vector<Variable> all = leaves;
    for (const ParameterPtr& parameter : parameters_) all.push_back(tape.leaf(parameter));
    for (const ParameterPtr& parameter : parameters_) parameter->gradient().fill(0);
    tape.backward(poisoned(output, all), projection_);
    for (std::size_t i = 0; i < checked_.size(); ++i) {
      const Tensor gradient = i < leaves.size() ? tape.gradient(leaves[i]) : parameters_[i - leaves.size()]->gradient();
      checked_[i].gradient = gradient.clone();
      const auto poison = checked_[i].poison.span<double>();
      for (std::size_t k = 0; k < poison.size(); ++k) checked_[i].gradient.span<double>()[k] -= poison[k];
      require_finite(checked_[i].gradient, "the gradient of " + checked_[i].name);
    }
  }

  /// The output, as an operation that also fills the gradient buffers of all leaves. It is the last one recorded, so
  /// its backward pass runs before all others, which then find the buffers filled.
  Variable poisoned(const Variable& output, const std::vector<Variable>& leaves) const {
    std::vector<Variable> operands{output};
    operands.insert(operands.end(), leaves.begin(), leaves.end());
    return record_operation("poison", output.value(), operands, [this](const Tensor& g, GradSink& sink) {
      sink.add(0, g);
      for (std::size_t i = 0; i < checked_.size(); ++i) sink.add(i + 1, checked_[i].poison);
    });
  }

  static void require_finite(const Tensor& x, const std::string& what) {
    const auto elements = x.span<double>();
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (!std::isfinite(elements[i]))
        fail<ValueError>("check_gradients: element ", i, " of ", what, " is ", elements[i]);
  }

  std::vector<Index> elements_of(const Checked& checked) {
    const Index size = checked.value.size();
    std::vector<Index> order = random_.permutation(size);
    if (options_.max_elements > 0 && options_.max_elements < size)
      order.resize(static_cast<std::size_t>(options_.max_elements));
    std::sort(order.begin(), order.end());
    return order;
  }

  /// Central difference of projection * f along one element.
  double difference(const std::function<void(const std::function<void()>&)>& replayed, const Checked& checked,
                    Index element) const {
    double& x = const_cast<Tensor&>(checked.value).span<double>()[static_cast<std::size_t>(element)];
    const double before = x, step = options_.step * std::max(1.0, std::abs(before));
    Tensor outputs[2];
    double at[2];
    for (const int side : {0, 1}) {
      x = at[side] = before + (side == 0 ? step : -step);
      try {
        replayed([&] { outputs[side] = f_(inputs_).value().clone(); });
      } catch (...) {
        x = before;
        throw;
      }
    }
    x = before;
    if (outputs[0].shape() != projection_.shape() || outputs[1].shape() != projection_.shape())
      fail<ShapeError>("check_gradients: the output changes its shape between calls");
    double total = 0;  // differences first: elements that do not move add exactly nothing
    for (std::size_t i = 0; i < projection_.span<double>().size(); ++i)
      total += projection_.span<double>()[i] * (outputs[0].span<double>()[i] - outputs[1].span<double>()[i]);
    return total / (at[0] - at[1]);
  }

  void compare(const Checked& checked, Index element, double numeric, GradientReport& report) const {
    const double analytic = checked.gradient.span<double>()[static_cast<std::size_t>(element)];
    const double absolute = std::abs(analytic - numeric);
    const double relative = absolute / std::max({std::abs(analytic), std::abs(numeric), options_.floor});
    ++report.checked;
    report.max_absolute_error = std::max(report.max_absolute_error, absolute);
    if (!(relative <= options_.tolerance)) report.passed = false;
    if (report.checked == 1 || relative > report.max_relative_error) {
      report.max_relative_error = relative;
      report.worst_input = checked.name;
      report.worst_element = element;
      report.analytic = analytic;
      report.numeric = numeric;
    }
  }

  const DifferentiableFunction& f_;
  const std::vector<ParameterPtr>& parameters_;
  const GradientCheckOptions& options_;
  Random random_;
  std::vector<Variable> inputs_;
  std::vector<Checked> checked_;
  Tensor projection_;
};

}  // namespace

GradientReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                               const std::vector<ParameterPtr>& parameters, const GradientCheckOptions& options) {
  if (Tape::current()) fail<StateError>("check_gradients: a tape is in scope, expected none");
  return GradientCheck(f, inputs, parameters, options).run();
}

void require_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                       const std::vector<ParameterPtr>& parameters, const GradientCheckOptions& options) {
  const GradientReport report = check_gradients(f, inputs, parameters, options);
  if (!report.passed) fail<ValueError>("require_gradients: ", report);
}

std::ostream& operator<<(std::ostream& out, const GradientReport& report) {
  if (report.checked == 0) return out << "no element was checked";
  return out << report.checked << " elements " << (report.passed ? "agree" : "do not all agree")
             << "; worst is element " << report.worst_element << " of " << report.worst_input << ": analytic "
             << report.analytic << ", numeric " << report.numeric << " (relative error " << report.max_relative_error
             << ", largest absolute error " << report.max_absolute_error << ")";
}

}  // namespace bitgrad
