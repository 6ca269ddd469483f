#include <bitgrad/qat/golden/detail/check_end_to_end.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/qat/golden/detail/reference_net.hpp>
#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/golden/detail/node.hpp>
#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>

namespace bitgrad::golden::detail {
namespace {

/// A tensor of a parameter as the reference has it.
Tensor in_reference_layout(const ReferenceNet& net, const GoldenParameter& parameter, const Tensor& tensor) {
  return parameter.name.starts_with("wrapper.weight") ? net.weights().to_reference(tensor) : tensor;
}

void check_parameters(const ReferenceNet& net, const EndToEndCase& c) {
  std::size_t trainable = 0;
  for (const GoldenParameter& expected : c.parameters) {
    const ParameterPtr got = net.parameter(expected.name);
    const Tensor value = in_reference_layout(net, expected, got->value());
    require(value.shape() == expected.shape, expected.name, " has shape ", value.shape(), ", expected ",
            expected.shape);
    require(got->trainable() == expected.trainable, expected.name,
            expected.trainable ? " should learn" : " should not learn");
    if (!expected.init.empty())
      compare_list(expected.name,
                   as_doubles(std::vector<float>(value.span<float>().begin(), value.span<float>().end())),
                   expected.init);
    trainable += expected.trainable;
  }
  require(net.parameters().size() == trainable, net.parameters().size(), " parameters learn, expected ", trainable);
}

/// `tensor_of` gives the value or the gradient of a parameter; `expected` holds those of all trainable ones.
template <class TensorOf>
void compare_flat(std::string_view what, const ReferenceNet& net, const EndToEndCase& c, const Tensor& expected,
                  TensorOf tensor_of) {
  for (const GoldenParameter& parameter : c.parameters) {
    if (!parameter.trainable) continue;
    const Tensor got = in_reference_layout(net, parameter, tensor_of(*net.parameter(parameter.name)));
    compare_close(message(what, " ", parameter.name), got.reshape({parameter.count}),
                  expected.rows(parameter.offset, parameter.offset + parameter.count), c.grad_rtol, c.grad_atol);
  }
}

void zero_gradients(const ReferenceNet& net) {
  for (const NamedParameter& each : net.parameters()) each.parameter->zero_gradient();
}

void check_gradients(ReferenceNet& net, const EndToEndCase& c) {
  const Layout& layout = net.activations();
  Tape tape;
  const Variable x = tape.watch(layout.to_ours(c.x), "x");
  const Variable y = net.forward(x, true);
  compare_close("y", layout.to_reference(y.value()), c.y, c.rtol, c.atol);
  tape.backward(y, layout.to_ours(c.dy));
  compare_close("dx", layout.to_reference(tape.gradient(x)), c.dx, c.grad_rtol, c.grad_atol);
  compare_flat("gradient of", net, c, c.param_grads, [](const Parameter& p) { return p.gradient(); });
  zero_gradients(net);
}

void check_training(ReferenceNet& net, const EndToEndCase& c) {
  const Tensor x = net.activations().to_ours(c.x), target = net.activations().to_ours(c.target);
  Sgd optimizer(net.parameters(), {.learning_rate = c.learning_rate});
  std::vector<float> losses;
  for (std::size_t step = 0; step < c.losses.size(); ++step) {
    Tape tape;
    const Variable loss = mse(net.forward(Variable(x), true), target);
    losses.push_back(static_cast<float>(loss.value().item()));
    tape.backward(loss);
    optimizer.step();
    optimizer.zero_gradient();
  }
  const std::vector<float> expected(c.losses.begin(), c.losses.end());
  const Shape steps{static_cast<Index>(losses.size())};
  compare_close("loss", Tensor::from(steps, losses), Tensor::from(steps, expected), c.rtol, c.atol);
  compare_flat("trained", net, c, c.final_params, [](const Parameter& p) { return p.value(); });
}

void compare_numbers(const std::string& what, const std::vector<double>& got, const std::vector<double>& expected,
                     double rtol, double atol) {
  require(got.size() == expected.size(), what, " has ", got.size(), " elements, expected ", expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    require(std::abs(got[i] - expected[i]) <= atol + rtol * std::abs(expected[i]), what, "[", i, "] is ", exact(got[i]),
            ", expected ", exact(expected[i]));
}

/// Learned numbers have the tolerance of the parameters they come from; a width is the difference of two.
void compare_conversion(const std::string& what, const BaseInferableQuantizer& got, const GoldenConversion& expected,
                        const EndToEndCase& c) {
  require(got.type() == expected.class_name, what, " converts to ", got.type(), ", expected ", expected.class_name);
  require(got.bits() == expected.num_bits, what, " has ", got.bits(), " bits, expected ", expected.num_bits);
  if (!expected.threshold.empty())
    return compare_numbers(what + ": threshold", Node::parse(got.to_json(), what).at("threshold").numbers(),
                           expected.threshold, c.grad_rtol, c.grad_atol);
  const Grid grid = got.grid();
  const double levels = grid.hi - grid.lo;
  compare_numbers(what + ": scale", as_doubles(grid.scale), expected.scale, c.grad_rtol, 2 * c.grad_atol / levels);
  if (!c.conversion_sensitive) compare_list(what + ": zero_point", as_doubles(grid.zero_point), expected.zero_point);
}

/// A uniform quantizer from the scale and zero point that the reference had: for ranges whose truncated zero point
/// hangs on the last bit of what was learned.
class RecordedQuantizer : public GridInferableQuantizer {
 public:
  RecordedQuantizer(const GoldenConversion& numbers, std::optional<int> axis, const QuantizerMark& mark)
      : GridInferableQuantizer(grid_of(numbers, axis), "RecordedQuantizer"), mark_(mark) {}
  std::string_view type() const override { return "RecordedQuantizer"; }
  const QuantizerMark& marks() const override { return mark_; }
  std::string describe() const override { return "a quantizer with recorded numbers"; }
  std::string to_json() const override {
    fail<NotImplementedError>("a quantizer with recorded numbers is not written");
  }
  InferablePtr clone() const override { return std::make_unique<RecordedQuantizer>(*this); }

 private:
  static Grid grid_of(const GoldenConversion& numbers, std::optional<int> axis) {
    for (const double zero : numbers.zero_point)
      require(std::abs(zero) <= 0x1p30, "the recorded zero point ", zero, " is no code");
    return {numbers.num_bits,
            0,
            (1 << numbers.num_bits) - 1,
            {numbers.scale.begin(), numbers.scale.end()},
            {numbers.zero_point.begin(), numbers.zero_point.end()},
            axis};
  }
  const QuantizerMark& mark_;
};

InferablePtr recorded(const GoldenConversion& numbers, std::optional<int> axis, const QuantizerMark& mark) {
  if (!numbers.json.empty()) return inferable_from_json(numbers.json);
  return std::make_unique<RecordedQuantizer>(numbers, axis, mark);
}

void use_recorded_numbers(ReferenceNet& net, const EndToEndCase& c) {
  const auto numbers_for = [](const GoldenConversion& numbers, std::optional<int> axis, const QuantizerSlot& slot) {
    return recorded(numbers, axis, slot.marks());
  };
  if (c.converted_weight.json.empty()) {
    std::optional<int> axis = c.converted_weight.channel_axis;
    if (axis) axis = net.weights().axis(*axis);
    net.set_weight_quantizer(numbers_for(c.converted_weight, axis, net.weight_quantizer()));
  }
  if (c.converted_input) net.set_input_quantizer(numbers_for(*c.converted_input, {}, net.input_holder()->quantizer()));
  if (c.converted_output)
    net.set_output_quantizer(numbers_for(*c.converted_output, {}, net.output_holder()->quantizer()));
}

void check_conversion(ReferenceNet& net, const EndToEndCase& c) {
  net.convert();
  net.convert();  // once more changes nothing
  net.set_weight_quantizer(with_reference_zero_point(*net.weight_quantizer().inferable()));
  compare_conversion("weight", *net.weight_quantizer().inferable(), c.converted_weight, c);
  const auto compare_holder = [&](const std::string& what, const auto& holder, const auto& expected) {
    require(holder.has_value() == expected.has_value(), what, expected ? " is missing" : " is too much");
    if (holder) compare_conversion(what, *holder->quantizer().inferable(), *expected, c);
  };
  compare_holder("input_holder", net.input_holder(), c.converted_input);
  compare_holder("output_holder", net.output_holder(), c.converted_output);
  if (c.conversion_sensitive) use_recorded_numbers(net, c);
  const Variable y = net.forward(Variable(net.activations().to_ours(c.x)), false);
  compare_close("converted output", net.activations().to_reference(y.value()), c.output_after_conversion, c.rtol,
                c.atol);
}

}  // namespace

void check_end_to_end(const EndToEndCase& c) {
  ReferenceNet net(c);
  check_parameters(net, c);
  check_gradients(net, c);
  check_training(net, c);
  check_conversion(net, c);
}

}  // namespace bitgrad::golden::detail
