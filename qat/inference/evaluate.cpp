#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad {

InferenceGraph convert2inferable(const Model& model) {
  if (!model.built()) fail<StateError>("convert2inferable: the model is not built; call build() first");
  InferenceGraphBuilder builder(model.input_shape());
  const GraphValue output = model.lower(builder, builder.input());
  return builder.finish(output);
}

Tensor evaluate(const Model& model, const Tensor& x) { return convert2inferable(model).run(x); }

}  // namespace bitgrad
