#include <bitgrad/layers/import_weights.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <bitgrad/core/permuted.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/layers/dense.hpp>
#include <bitgrad/layers/reshaping.hpp>

namespace bitgrad {
namespace {

/// The image that a layer reads flattened, if it does: nothing but layers that keep single elements in between.
std::optional<Shape> flattened_image(const Model& model, std::size_t node) {
  const std::vector<Shape> shapes = model.node_shapes(model.input_shape());
  const auto shape_of = [&](int value) {
    return value < 0 ? model.input_shape() : shapes[static_cast<std::size_t>(value)];
  };
  int value = model.nodes()[node].inputs[0];
  while (value >= 0) {
    const Model::Node& before = model.nodes()[static_cast<std::size_t>(value)];
    if (dynamic_cast<const Flatten*>(before.layer.get())) {
      const Shape image = shape_of(before.inputs[0]);
      return image.rank() == 3 ? std::optional(image) : std::nullopt;
    }
    if (before.inputs.size() != 1 || shape_of(before.inputs[0]) != shape_of(value) ||
        dynamic_cast<const Dense*>(before.layer.get()))
      return std::nullopt;
    value = before.inputs[0];
  }
  return std::nullopt;
}

/// PyTorch's weights under bitgrad's names and in its layouts.
class FromPyTorch {
 public:
  explicit FromPyTorch(const Model& model) : model_(model) {
    for (const auto& [name, tensor] : model.state_dict()) names_.push_back(name);
  }

  void translate(std::string& name, Tensor& tensor) const {
    const std::size_t slash = name.rfind('/');
    const std::string path = name.substr(0, slash), last = slash == name.npos ? "" : name.substr(slash + 1);
    for (const auto& [theirs, ours] : {std::pair{"weight", "kernel"},
                                       {"weight", "gamma"},
                                       {"bias", "beta"},
                                       {"running_mean", "moving_mean"},
                                       {"running_var", "moving_variance"}})
      if (last == theirs && std::ranges::count(names_, path + '/' + ours) == 1) name = path + '/' + ours;
    if (name == std::string_view(path + "/" + last) && last != "bias") return;  // already ours, or nobody's
    if (tensor.dtype() != DType::float32) return;                               // refused by name later
    const std::vector<Model::Node>& nodes = model_.nodes();
    const auto node = std::ranges::find(nodes, path, &Model::Node::name);
    tensor = last == "weight" && tensor.rank() != 1 ? kernel(path, node, tensor) : channels(node, tensor);
  }

 private:
  using Position = std::vector<Model::Node>::const_iterator;

  std::optional<Shape> image_before(Position node) const {
    if (node == model_.nodes().end()) return std::nullopt;
    return flattened_image(model_, static_cast<std::size_t>(node - model_.nodes().begin()));
  }

  /// What a batch normalisation has for each element of a flattened image.
  Tensor channels(Position node, const Tensor& tensor) const {
    if (node == model_.nodes().end() || node->layer->type() != "BatchNorm" || tensor.rank() != 1) return tensor;
    const std::optional<Shape> image = image_before(node);
    if (!image || image->size() != tensor.size()) return tensor;
    return permuted(tensor.reshape({(*image)[2], (*image)[0], (*image)[1]}), std::array{1, 2, 0})
        .reshape({tensor.size()});
  }

  Tensor kernel(const std::string& path, Position node, const Tensor& tensor) const {
    const std::string type = node == model_.nodes().end() ? "layer unknown" : std::string(node->layer->type());
    if (type == "Conv2D" || type == "DepthwiseConv2D")
      return tensor.rank() == 4 ? permuted(tensor, std::array{2, 3, 1, 0}) : tensor;
    if (type == "Conv2DTranspose") return tensor.rank() == 4 ? permuted(tensor, std::array{2, 3, 0, 1}) : tensor;
    if (type == "Conv1D") {
      if (tensor.rank() != 3) return tensor;
      const Tensor inputs_first = permuted(tensor, std::array{2, 1, 0});  // [k, in / groups, out]
      return inputs_first.reshape(inputs_first.shape().prepended(1));
    }
    if (type != "Dense")
      fail<NotImplementedError>("import_weights: \"", path, "\" (", type,
                                "): only kernels of Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D and Dense can be "
                                "read in PyTorch's layout");
    if (tensor.rank() != 2) return tensor;
    const std::optional<Shape> image = image_before(node);
    if (!image || image->size() != tensor.dim(1)) return permuted(tensor, std::array{1, 0});
    const Tensor channels_first = tensor.reshape({tensor.dim(0), (*image)[2], (*image)[0], (*image)[1]});
    return permuted(channels_first, std::array{2, 3, 1, 0}).reshape({tensor.dim(1), tensor.dim(0)});
  }

  const Model& model_;
  std::vector<std::string> names_;
};

void require_finite(const std::string& name, const Tensor& tensor) {
  if (tensor.dtype() != DType::float32) return;  // refused by name later
  const std::span<const float> values = tensor.span<float>();
  const auto found = std::ranges::find_if_not(values, [](float x) { return std::isfinite(x); });
  if (found != values.end())
    fail<ValueError>("import_weights: \"", name, "\" holds ", *found, " at element ", found - values.begin(),
                     ", expected finite numbers");
}

}  // namespace

std::string_view name_of(WeightLayout layout) { return layout == WeightLayout::pytorch ? "pytorch" : "bitgrad"; }

WeightLayout parse_weight_layout(std::string_view name) {
  std::vector<std::string> known;
  for (const WeightLayout layout : {WeightLayout::bitgrad, WeightLayout::pytorch}) {
    if (name == name_of(layout)) return layout;
    known.emplace_back(name_of(layout));
  }
  fail<ValueError>(unknown_name("layout", name, known));
}

void import_weights(Model& model, const NamedTensors& tensors, WeightLayout layout) {
  const FromPyTorch pytorch(model);
  NamedTensors state;
  for (const auto& [file_name, file_tensor] : tensors) {
    std::string name = file_name;
    Tensor tensor = file_tensor;
    std::ranges::replace(name, '.', '/');
    if (layout == WeightLayout::pytorch) pytorch.translate(name, tensor);
    state.add(name, tensor);
  }
  for (const auto& [name, tensor] : state) require_finite(name, tensor);
  model.load_state_dict(state);
}

}  // namespace bitgrad
