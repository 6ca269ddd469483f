#include <bitgrad/cli/bench/kernel_cases.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {
namespace {

using Inputs = std::span<const Variable>;

const std::vector<KernelCase::Backward> data_and_kernel{{"data", {0}}, {"kernel", {1}}};

/// A convolution of square images with a square kernel.
struct Square {
  Index size, channels, kernel, filters;
  Index stride = 1;
  Index dilation = 1;
  Index groups = 1;
  Padding padding = Padding::same();

  std::string describe() const {
    std::string text = message(kernel, 'x', kernel);
    if (groups == channels && groups > 1)
      text += ", depthwise";
    else if (groups > 1)
      text += message(", ", groups, " groups");
    if (stride > 1) text += message(", stride ", stride);
    if (padding.kind == Padding::Kind::valid) text += ", no padding";
    if (dilation > 1) text += message(", dilation ", dilation);
    return text + message(", ", channels, " to ", filters);
  }
};

KernelCase convolution(Index batch, const Square& g) {
  return {.operation = "conv2d",
          .detail = g.describe(),
          .inputs = {{batch, g.size, g.size, g.channels}, {g.kernel, g.kernel, g.channels / g.groups, g.filters}},
          .apply =
              [g](Inputs x) {
                return conv2d(x[0], x[1],
                              {.stride = {g.stride, g.stride},
                               .padding = g.padding,
                               .dilation = {g.dilation, g.dilation},
                               .groups = g.groups});
              },
          .backward = data_and_kernel};
}

KernelCase product(Index rows, Index in, Index out) {
  return {.operation = "matmul",
          .detail = message(in, " to ", out),
          .inputs = {{rows, in}, {in, out}},
          .apply = [](Inputs x) { return matmul(x[0], x[1]); },
          .backward = data_and_kernel};
}

/// An operation with one input.
KernelCase elementwise(const char* name, const Shape& shape, Variable (*f)(const Variable&)) {
  return {.operation = name,
          .detail = "",
          .inputs = {shape},
          .apply = [f](Inputs x) { return f(x[0]); },
          .backward = {{"data", {0}}}};
}

KernelCase lsq_quantizer(const Shape& x, const Shape& step, const char* detail) {
  return {
      .operation = "fake_quantize",
      .detail = detail,
      .inputs = {x, step},
      .apply = [](Inputs in) { return fake_quantize("fake_quantize", in[0], {.step = in[1], .lo = -128, .hi = 127}); },
      .backward = {{"data, step", {0, 1}}}};
}

Tensor labels(Index count) {
  Tensor result = Tensor::zeros({count}, DType::int32);
  for (Index i = 0; i < count; ++i) result.data<std::int32_t>()[i] = static_cast<std::int32_t>(i % 10);
  return result;
}

std::vector<Square> squares() {
  const std::vector<Square> resnet8{{32, 3, 3, 16},  {32, 16, 3, 16},    {32, 16, 3, 32, 2}, {32, 16, 1, 32, 2},
                                    {16, 32, 3, 32}, {16, 32, 3, 64, 2}, {16, 32, 1, 64, 2}, {8, 64, 3, 64}};
  const Padding none = Padding::valid();
  const std::vector<Square> fashion_cnn{{28, 1, 3, 16}};
  const std::vector<Square> lenet5{{28, 1, 5, 6},
                                   {.size = 14, .channels = 6, .kernel = 5, .filters = 16, .padding = none}};
  // With a border that is there already, for 32x32 outputs as well.
  const std::vector<Square> bordered{{.size = 34, .channels = 16, .kernel = 3, .filters = 16, .padding = none}};
  const std::vector<Square> separable{
      {.size = 32, .channels = 64, .kernel = 3, .filters = 64, .groups = 64},
      {.size = 32, .channels = 64, .kernel = 3, .filters = 64, .stride = 2, .groups = 64},
      {32, 64, 1, 64}};
  const std::vector<Square> sparse{{.size = 16, .channels = 64, .kernel = 3, .filters = 64, .groups = 4},
                                   {.size = 16, .channels = 32, .kernel = 3, .filters = 32, .dilation = 2}};
  std::vector<Square> all = resnet8;
  for (const auto& more : {fashion_cnn, lenet5, bordered, separable, sparse})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

std::vector<KernelCase> kernel_cases(Index batch) {
  std::vector<KernelCase> cases;
  for (const Square& square : squares()) cases.push_back(convolution(batch, square));
  const Shape image{batch, 32, 32, 16};
  constexpr Index many = 10'000'000;
  cases.push_back(product(batch, 784, 128));
  cases.push_back(product(batch, 400, 120));
  cases.push_back({.operation = "add",
                   .detail = "a bias",
                   .inputs = {image, {16}},
                   .apply = [](Inputs x) { return add(x[0], x[1]); },
                   .backward = {{"data, bias", {0, 1}}}});
  cases.push_back({.operation = "batch_norm",
                   .detail = "",
                   .inputs = {image, {16}, {16}},
                   .apply = [](Inputs x) { return batch_norm(x[0], x[1], x[2]).y; },
                   .backward = {{"all", {0, 1, 2}}}});
  cases.push_back(elementwise("relu", image, relu));
  cases.push_back(elementwise("relu", {many}, relu));
  cases.push_back(lsq_quantizer(image, {1}, "per tensor"));
  cases.push_back(lsq_quantizer({many}, {1}, "per tensor"));
  cases.push_back(lsq_quantizer({3, 3, 64, 64}, {1, 1, 1, 64}, "per channel"));
  cases.push_back(elementwise("max_pool2d", image, [](const Variable& x) { return max_pool2d(x); }));
  cases.push_back(elementwise("global_average_pool2d", {batch, 8, 8, 64}, global_average_pool2d));
  cases.push_back({.operation = "cross_entropy",
                   .detail = "",
                   .inputs = {{batch, 10}},
                   .apply = [truth = labels(batch)](Inputs x) { return cross_entropy(x[0], truth, 0); },
                   .backward = {{"data", {0}}}});
  return cases;
}

}  // namespace bitgrad::cli
