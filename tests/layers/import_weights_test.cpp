// Weights in other layouts, against loops written in those.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/import_weights.hpp>
#include <bitgrad/layers/layers.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor result(shape);
  for (float& value : result.span<float>()) value = static_cast<float>(random.below(1001)) / 500.0F - 1.0F;
  return result;
}

constexpr Index channels = 3, filters = 5, height = 4, width = 6, units = 2;

/// 3x3 convolution, normalisation, flattening, normalisation, dense.
Model small_model() {
  Model model = Sequential(Conv2D({.filters = filters, .kernel = 3}), BatchNorm(), Flatten(), BatchNorm(), ReLU(),
                           Dense({.units = units}));
  model.build({height, width, channels}, 1);
  return model;
}

NamedTensors pytorch_weights() {
  NamedTensors state;
  state.add("conv1.weight", random_tensor({filters, channels, 3, 3}, 1));
  state.add("conv1.bias", random_tensor({filters}, 2));
  const Index flat = filters * height * width;
  std::uint64_t seed = 3;
  for (const auto& [name, size] : {std::pair{"bn1", filters}, {"bn2", flat}})
    for (const char* what : {".weight", ".bias", ".running_mean", ".running_var"}) {
      Tensor tensor = random_tensor({size}, seed++);
      if (what == std::string(".running_var"))
        for (float& value : tensor.span<float>()) value = std::abs(value) + 0.5F;
      state.add(std::string(name) + what, tensor);
    }
  state.add("dense1.weight", random_tensor({units, flat}, seed++));
  state.add("dense1.bias", random_tensor({units}, seed++));
  return state;
}

/// The network as PyTorch computes it: x is [channels, height, width].
std::vector<double> channels_first(const NamedTensors& state, const std::vector<double>& x) {
  const auto weight = [&](const char* name, Index i) { return static_cast<double>(state.at(name).data<float>()[i]); };
  const auto normalized = [&](const std::string& bn, Index i, double value) {
    const double deviation = std::sqrt(weight((bn + ".running_var").c_str(), i) + 1e-3);
    return (value - weight((bn + ".running_mean").c_str(), i)) / deviation * weight((bn + ".weight").c_str(), i) +
           weight((bn + ".bias").c_str(), i);
  };
  std::vector<double> flat;
  for (Index o = 0; o < filters; ++o)
    for (Index h = 0; h < height; ++h)
      for (Index w = 0; w < width; ++w) {
        double sum = weight("conv1.bias", o);
        for (Index i = 0; i < channels; ++i)
          for (Index kh = 0; kh < 3; ++kh)
            for (Index kw = 0; kw < 3; ++kw) {
              const Index y = h + kh - 1, z = w + kw - 1;
              if (y < 0 || y >= height || z < 0 || z >= width) continue;
              sum += x[static_cast<std::size_t>((i * height + y) * width + z)] *
                     weight("conv1.weight", ((o * channels + i) * 3 + kh) * 3 + kw);
            }
        const Index at = static_cast<Index>(flat.size());
        flat.push_back(std::max(0.0, normalized("bn2", at, normalized("bn1", o, sum))));
      }
  std::vector<double> result;
  for (Index o = 0; o < units; ++o) {
    double sum = weight("dense1.bias", o);
    for (std::size_t i = 0; i < flat.size(); ++i)
      sum += flat[i] * weight("dense1.weight", o * static_cast<Index>(flat.size()) + static_cast<Index>(i));
    result.push_back(sum);
  }
  return result;
}

}  // namespace

TEST_CASE("import_weights: PyTorch's layout computes what PyTorch computes") {
  Model model = small_model();
  const NamedTensors state = pytorch_weights();
  import_weights(model, state, WeightLayout::pytorch);
  const Tensor x = random_tensor({1, height, width, channels}, 99);
  std::vector<double> transposed;
  for (Index c = 0; c < channels; ++c)
    for (Index p = 0; p < height * width; ++p) transposed.push_back(x.data<float>()[p * channels + c]);
  const std::vector<double> expected = channels_first(state, transposed);
  const Tensor found = model.forward(Variable(x)).value();
  for (Index o = 0; o < units; ++o)
    CHECK(found.data<float>()[o] == Approx(expected[static_cast<std::size_t>(o)]).epsilon(1e-4));
}

TEST_CASE("import_weights: one-dimensional kernels of PyTorch are (out, in, length)") {
  Model model = Sequential(Conv1D({.filters = 2, .kernel = 3, .bias = false}));
  model.build({5, 4}, 1);
  const Tensor weight = random_tensor({2, 4, 3}, 7);
  NamedTensors state;
  state.add("conv1d1.weight", weight);
  import_weights(model, state, WeightLayout::pytorch);
  const Tensor kernel = model.layer("conv1d1").weight("kernel")->value();
  for (Index o = 0; o < 2; ++o)
    for (Index i = 0; i < 4; ++i)
      for (Index k = 0; k < 3; ++k) CHECK(kernel.at<float>({0, k, i, o}) == weight.at<float>({o, i, k}));
}

TEST_CASE("import_weights: transposed kernels of PyTorch are (in, out, height, width)") {
  Model model = Sequential(Conv2DTranspose({.filters = 2, .kernel = {3, 2}}));
  model.build({5, 4, 4}, 1);
  const Tensor weight = random_tensor({4, 2, 3, 2}, 7), bias = random_tensor({2}, 8);
  NamedTensors state;
  state.add("conv_transpose1.weight", weight);
  state.add("conv_transpose1.bias", bias);
  import_weights(model, state, WeightLayout::pytorch);
  const Tensor kernel = model.layer("conv_transpose1").weight("kernel")->value();
  REQUIRE(kernel.shape() == Shape{3, 2, 4, 2});
  for (Index i = 0; i < 4; ++i)
    for (Index o = 0; o < 2; ++o)
      for (Index h = 0; h < 3; ++h)
        for (Index w = 0; w < 2; ++w) CHECK(kernel.at<float>({h, w, i, o}) == weight.at<float>({i, o, h, w}));
  CHECK(identical(model.layer("conv_transpose1").weight("bias")->value(), bias));
}

TEST_CASE("import_weights: bitgrad's layout, with either separator") {
  Model from = small_model(), to = small_model();
  from.layer("conv1").weight("kernel")->value().copy_from(random_tensor({3, 3, channels, filters}, 5));
  for (const char separator : {'/', '.'}) {
    NamedTensors tensors;
    for (auto [name, tensor] : from.state_dict()) {
      std::ranges::replace(name, '/', separator);
      tensors.add(name, tensor);
    }
    to.build({height, width, channels}, 2);
    import_weights(to, tensors);
    CHECK(identical(to.state_dict(), from.state_dict()));
  }
}

TEST_CASE("import_weights: mismatches are named one by one, and nothing is loaded") {
  Model model = small_model();
  const NamedTensors before = model.state_dict(), good = pytorch_weights();
  NamedTensors bad;
  for (const auto& [name, tensor] : good)
    if (name != "conv1.bias" && name != "bn2.running_var") bad.add(name, tensor);
  bad.add("conv2.weight", Tensor(Shape{1, 1, 1, 1}));
  CHECK_THROWS_WITH(import_weights(model, bad, WeightLayout::pytorch),
                    Contains("missing: conv1/bias, bn2/moving_variance") && Contains("unexpected: conv2/weight"));
  NamedTensors misshapen;
  for (const auto& [name, tensor] : good)
    misshapen.add(name, name == "conv1.weight"  ? tensor.reshape({filters, 9, 1, channels})
                        : name == "dense1.bias" ? tensor.to(DType::float64)
                                                : tensor);
  CHECK_THROWS_WITH(import_weights(model, misshapen, WeightLayout::pytorch),
                    Contains("conv1/kernel is float32 (1, 3, 9, 5), expected float32 (3, 3, 3, 5)") &&
                        Contains("dense1/bias is float64"));
  CHECK_THROWS_WITH(import_weights(model, good), Contains("unexpected: conv1/weight"));
  CHECK(identical(model.state_dict(), before));
  CHECK_THROWS_WITH(parse_weight_layout("pytroch"), Contains("pytroch") && Contains("pytorch"));
  CHECK(parse_weight_layout("bitgrad") == WeightLayout::bitgrad);
}
