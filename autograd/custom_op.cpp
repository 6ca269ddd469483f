#include <bitgrad/autograd/custom_op.hpp>

namespace bitgrad {

Variable custom_op(std::string_view name, const std::vector<Variable>& inputs, const CustomForward& forward,
                   CustomBackward backward) {
  CustomOpContext context;
  for (const Variable& input : inputs) context.inputs.push_back(input.value());
  context.output = forward(context.inputs);
  if (!context.output.defined()) fail<ValueError>(name, ": the forward function returned an undefined tensor");
  Tensor output = context.output;
  auto run = [name = std::string(name), context = std::move(context), backward = std::move(backward)](
                 const Tensor& output_gradient, GradSink& sink) mutable {
    context.output_gradient = output_gradient;
    std::vector<Tensor> gradients = backward(context);
    if (gradients.size() != context.inputs.size())
      fail<ShapeError>(name, ": backward returned ", gradients.size(), " gradients, expected ", context.inputs.size());
    for (std::size_t i = 0; i < gradients.size(); ++i)
      if (gradients[i].defined()) sink.add(i, std::move(gradients[i]));
  };
  return record_operation(name, std::move(output), inputs, std::move(run));
}

}  // namespace bitgrad
