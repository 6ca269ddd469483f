#include <bitgrad/qat/detail/sampler.hpp>

#include <algorithm>

namespace bitgrad::qat {
namespace {

constexpr Index images_per_batch = 100;
constexpr Index values_per_point = 1 << 17;  // enough for a mean squared error over 65536 levels at most

}  // namespace

Sampler::Sampler(Model& model, const std::vector<int>& points, const Tensor& images) {
  const Index rows = images.dim(0);
  std::vector<Shape> shapes = model.node_shapes(model.input_shape());
  for (const int point : points) {
    const Index size = rows * (point < 0 ? model.input_shape() : shapes[static_cast<std::size_t>(point)]).size();
    points_.emplace(point, Point{std::max<Index>(1, (size + values_per_point - 1) / values_per_point), 0, {}});
  }
  for (Index begin = 0; begin < rows; begin += images_per_batch)
    run(model, images.rows(begin, std::min(begin + images_per_batch, rows)));
}

Tensor Sampler::values(int point) const {
  const std::vector<float>& values = points_.at(point).values;
  return Tensor::from({static_cast<Index>(values.size())}, values);
}

void Sampler::run(Model& model, const Tensor& batch) {
  keep(-1, batch);
  Context context;
  context.model = &model;
  std::vector<Variable> outputs;
  for (std::size_t i = 0; i < model.nodes().size(); ++i) {
    std::vector<Variable> inputs;
    for (const int number : model.nodes()[i].inputs)
      inputs.push_back(number < 0 ? Variable(batch) : outputs[static_cast<std::size_t>(number)]);
    outputs.push_back(model.nodes()[i].layer->forward(inputs, context));
    keep(static_cast<int>(i), outputs.back().value());
  }
}

void Sampler::keep(int number, const Tensor& values) {
  const auto found = points_.find(number);
  if (found == points_.end()) return;
  Point& point = found->second;
  for (const float value : values.span<float>())
    if (point.seen++ % point.stride == 0) point.values.push_back(value);
}

}  // namespace bitgrad::qat
