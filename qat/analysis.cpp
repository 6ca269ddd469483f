#include <bitgrad/qat/analysis.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

namespace bitgrad {
namespace {

/// Follows shapes and signs through lowering and remembers which kinds of operations a layer used.
class ProbeBuilder : public GraphBuilder {
 public:
  GraphValue add_value(const Shape& shape, bool nonnegative) {
    values_.push_back({shape, nonnegative});
    return {static_cast<int>(values_.size()) - 1};
  }
  bool nonnegative(GraphValue value) const { return values_.at(static_cast<std::size_t>(value.index)).nonnegative; }

  void start_layer() { kinds_.clear(); }
  /// One kind when all operations agree; moving data does not count beside others; anything mixed is arithmetic.
  LayerKind kind() const {
    std::vector<LayerKind> others;
    for (const LayerKind kind : kinds_)
      if (kind != LayerKind::moves_data && std::ranges::find(others, kind) == others.end()) others.push_back(kind);
    if (others.empty()) return LayerKind::moves_data;
    return others.size() == 1 ? others.front() : LayerKind::arithmetic;
  }

  void set_layer_name(std::string_view) override {}
  Shape shape(GraphValue value) const override { return values_.at(static_cast<std::size_t>(value.index)).shape; }

  GraphValue conv2d(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                    const GraphWeight&) override {
    const auto geometry = conv2d_geometry(shape(x).prepended(1), kernel.value.shape(), window);
    return result(LayerKind::arithmetic, output_shape(geometry).without_front(), false);
  }
  GraphValue conv2d_transpose(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                              const GraphWeight&) override {
    const auto geometry = conv2d_transpose_geometry(shape(x).prepended(1), kernel.value.shape(), window);
    return result(LayerKind::arithmetic, input_shape(geometry).without_front(), false);
  }
  GraphValue dense(GraphValue, const GraphWeight& kernel, const GraphWeight&) override {
    return result(LayerKind::arithmetic, {kernel.value.dim(1)}, false);
  }
  GraphValue batch_norm(GraphValue x, const Tensor&, const Tensor&, const Tensor&, const Tensor&, float) override {
    return result(LayerKind::batch_norm, shape(x), false);
  }
  GraphValue layer_norm(GraphValue x, const Tensor&, const Tensor&, float) override {
    return result(LayerKind::arithmetic, shape(x), false);
  }
  GraphValue normalize(GraphValue x, const Tensor&, const Tensor&) override {
    return result(LayerKind::float_tail, shape(x), false);
  }
  GraphValue max_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override {
    return result(LayerKind::moves_data, pooled(x, window, stride, padding), nonnegative(x));
  }
  GraphValue average_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override {
    return result(LayerKind::arithmetic, pooled(x, window, stride, padding), nonnegative(x));
  }
  GraphValue global_average_pool2d(GraphValue x) override {
    return result(LayerKind::arithmetic, {shape(x)[-1]}, nonnegative(x));
  }
  GraphValue upsample2d(GraphValue x, UpsampleFactor factor, Interpolation interpolation) override {
    const Shape in = shape(x);
    const bool copies = interpolation == Interpolation::nearest;
    return result(copies ? LayerKind::moves_data : LayerKind::arithmetic, {in[0] * factor.h, in[1] * factor.w, in[2]},
                  nonnegative(x));
  }
  GraphValue clamp(GraphValue x, float low, float) override {
    return result(LayerKind::clamp, shape(x), low >= 0 || nonnegative(x));
  }
  GraphValue elementwise(GraphValue x, ElementwiseFunction function) override {
    using enum ElementwiseFunction;
    const bool keeps_sign = function == tanh || function == gelu || function == hard_swish;
    return result(LayerKind::arithmetic, shape(x), keeps_sign ? nonnegative(x) : function != log);
  }
  GraphValue leaky_relu(GraphValue x, float) override {
    return result(LayerKind::arithmetic, shape(x), nonnegative(x));
  }
  GraphValue pow(GraphValue x, float exponent) override {
    const bool odd = std::fmod(exponent, 2.0F) == 1.0F || std::fmod(exponent, 2.0F) == -1.0F;
    return result(LayerKind::arithmetic, shape(x), !odd || nonnegative(x));
  }
  GraphValue softmax(GraphValue x) override { return result(LayerKind::float_tail, shape(x), true); }
  GraphValue log_softmax(GraphValue x) override { return result(LayerKind::float_tail, shape(x), false); }
  GraphValue add(GraphValue a, GraphValue b) override {
    return result(LayerKind::arithmetic, shape(a), nonnegative(a) && nonnegative(b));
  }
  GraphValue where(const Tensor&, GraphValue a, GraphValue b) override { return add(a, b); }
  GraphValue concat(std::span<const GraphValue> values, int axis) override {
    Shape joined = shape(values.front());
    Index extent = 0;
    bool all = true;
    for (const GraphValue value : values) {
      extent += shape(value)[axis];
      all = all && nonnegative(value);
    }
    return result(LayerKind::arithmetic, joined.with(axis, extent), all);
  }
  GraphValue reshape(GraphValue x, const Shape& per_sample_shape) override {
    return result(LayerKind::moves_data, per_sample_shape, nonnegative(x));
  }
  GraphValue pad2d(GraphValue x, const Padding& padding) override {
    const Shape from = shape(x);
    return result(LayerKind::moves_data,
                  {from[0] + padding.top + padding.bottom, from[1] + padding.left + padding.right, from[2]},
                  nonnegative(x));
  }

 private:
  struct ProbeValue {
    Shape shape;
    bool nonnegative;
  };

  GraphValue result(LayerKind kind, const Shape& shape, bool nonnegative) {
    kinds_.push_back(kind);
    return add_value(shape, nonnegative);
  }
  Shape pooled(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) const {
    return output_shape(pool2d_geometry(shape(x).prepended(1), window, stride, padding)).without_front();
  }

  std::vector<ProbeValue> values_;
  std::vector<LayerKind> kinds_;
};

}  // namespace

std::vector<LayerAnalysis> analyse(const Model& model) {
  ProbeBuilder probe;
  const GraphValue input = probe.add_value(model.input_shape(), true);
  std::vector<GraphValue> outputs;
  std::vector<LayerAnalysis> result;
  for (const Model::Node& node : model.nodes()) {
    std::vector<GraphValue> inputs;
    for (const int number : node.inputs)
      inputs.push_back(number < 0 ? input : outputs[static_cast<std::size_t>(number)]);
    probe.start_layer();
    const bool holder = dynamic_cast<const ActivationQuantizationHolder*>(node.layer.get()) != nullptr;
    const auto* wrapper = dynamic_cast<const QuantizationWrapper*>(node.layer.get());
    const Layer& layer = wrapper ? wrapper->layer() : *node.layer;
    outputs.push_back(holder ? inputs.front() : layer.lower(probe, inputs));
    result.push_back(
        {holder ? LayerKind::quantizer : probe.kind(), probe.shape(outputs.back()), probe.nonnegative(outputs.back())});
  }
  return result;
}

}  // namespace bitgrad
