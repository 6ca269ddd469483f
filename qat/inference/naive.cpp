// The second opinion: graph.hpp's rules once more, with plain loops over int64. Nothing here is shared with the engines
// but the graph itself, the extents of windows, and the operations that are left in float32.
#include <bitgrad/qat/inference/verify.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/detail/float_operations.hpp>
#include <bitgrad/qat/inference/detail/naive_modes.hpp>
#include <bitgrad/qat/inference/detail/naive_sample.hpp>

namespace bitgrad {
namespace {

using inference::NaiveSample;
using inference::NaiveView;

std::int32_t naive_clamp(float rounded, const Grid& y, std::int32_t lo, std::int32_t hi) {
  const double code = static_cast<double>(rounded) + y.zero_point[0];
  return static_cast<std::int32_t>(std::min<double>(std::max<double>(code, lo), hi));
}

/// Weights minus zero points, widened once: [k, out].
std::vector<std::int64_t> naive_weights(const IntegerWeights& weights) {
  const auto codes = weights.codes.span<std::int32_t>();
  const std::size_t out = static_cast<std::size_t>(weights.codes.dim(-1)), zeros = weights.grid.zero_point.size();
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < codes.size(); ++i)
    result.push_back(std::int64_t{codes[i]} - weights.grid.zero_point[zeros == 1 ? 0 : i % out]);
  return result;
}

/// Runs one node for one sample.
class NaiveNode : NaiveView {
 public:
  NaiveNode(const NaiveSample& sample, const GraphNode& node, const std::vector<std::int64_t>& weights)
      : NaiveView(sample, node), weights_(weights) {}

  void operator()(const IntegerConv2D& op) const {
    const Conv2DGeometry g = conv2d_geometry(input_batch(), op.weights.codes.shape(), op.window);
    const std::int32_t* x = in_codes();
    const std::int64_t zero = in_grid().zero_point[0];
    std::vector<std::int64_t> sums(static_cast<std::size_t>(g.out_c));
    for (Index oh = 0; oh < g.out_h; ++oh)
      for (Index ow = 0; ow < g.out_w; ++ow) {
        std::ranges::copy(op.weights.bias.span<std::int32_t>(), sums.begin());
        for (Index kh = 0; kh < g.k_h; ++kh)
          for (Index kw = 0; kw < g.k_w; ++kw) {
            const Index h = oh * g.stride_h + kh * g.dilation_h - g.pad_top,
                        w = ow * g.stride_w + kw * g.dilation_w - g.pad_left;
            if (h < 0 || h >= g.in_h || w < 0 || w >= g.in_w) continue;  // padding is real zero: it adds nothing
            for (Index o = 0; o < g.out_c; ++o) {
              const Index in_group = g.in_c / g.groups,
                          first = o / (g.out_c / g.groups) * in_group;  // of the inputs that o sees
              for (Index i = 0; i < in_group; ++i)
                sums[static_cast<std::size_t>(o)] +=
                    (x[(h * g.in_w + w) * g.in_c + first + i] - zero) *
                    weights_[static_cast<std::size_t>(((kh * g.k_w + kw) * in_group + i) * g.out_c + o)];
            }
          }
        finish(op.weights, sums, (oh * g.out_w + ow) * g.out_c);
      }
  }

  void operator()(const IntegerDense& op) const {
    const std::int32_t* x = in_codes();
    const auto bias = op.weights.bias.span<std::int32_t>();
    std::vector<std::int64_t> sums(bias.begin(), bias.end());
    for (Index i = 0; i < op.weights.codes.dim(0); ++i) add_row(std::int64_t{x[i]} - in_grid().zero_point[0], i, sums);
    finish(op.weights, sums, 0);
  }

  void operator()(const IntegerAdd& op) const {
    if (sample_.graph.mode != RequantizationMode::ort) return add_in_mode(op);
    const Grid &a = in_grid(0), &b = in_grid(1), &y = out_grid();
    const float r_a = a.scale[0] / y.scale[0], r_b = b.scale[0] / y.scale[0];
    const float z_a = static_cast<float>(a.zero_point[0] - a.lo), z_b = static_cast<float>(b.zero_point[0] - b.lo);
    const float rest = static_cast<float>(y.zero_point[0] - y.lo) - std::fma(r_a, z_a, r_b * z_b);
    const std::int32_t *left = in_codes(0), *right = in_codes(1);
    for (Index i = 0; i < output().shape.size(); ++i) {
      const float u_a = static_cast<float>(left[i] - a.lo), u_b = static_cast<float>(right[i] - b.lo);
      const double code = static_cast<double>(std::nearbyint(std::fma(u_a, r_a, std::fma(u_b, r_b, rest)))) + y.lo;
      out_codes()[i] = static_cast<std::int32_t>(std::min<double>(std::max<double>(code, op.clamp_lo), op.clamp_hi));
    }
  }

  void operator()(const IntegerConcat& op) const {
    const Shape& shape = output().shape;
    const int axis = op.axis < 0 ? op.axis + shape.rank() : op.axis;
    Index outer = 1, inner = 1, at = 0;
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    for (std::size_t n = 0; n < node_.inputs.size(); ++n) {
      const Index extent = sample_.tensor(node_.inputs[n]).shape[axis];
      const Grid& x = in_grid(n);
      for (Index o = 0; o < outer; ++o)
        for (Index e = 0; e < extent; ++e)
          for (Index i = 0; i < inner; ++i) {
            const float value = real(in_codes(n)[(o * extent + e) * inner + i], x);
            out_codes()[(o * shape[axis] + at + e) * inner + i] =
                naive_clamp(std::nearbyint(value / out_grid().scale[0]), out_grid(), op.clamp_lo, op.clamp_hi);
          }
      at += extent;
    }
  }

  void operator()(const IntegerAveragePool2D& op) const {
    const Pool2DGeometry g = pool2d_geometry(input_batch(), op.window, op.stride, op.padding);
    if (sample_.graph.mode != RequantizationMode::ort) return average_in_mode(op, g);
    for_each_window(g, [&](Index out, const std::vector<Index>& pixels) {
      float sum = 0.0F;
      for (const Index pixel : pixels) sum += real(in_codes()[pixel], in_grid());
      const float zero = static_cast<float>(out_grid().zero_point[0] - out_grid().lo);
      const float level = sum / static_cast<float>(pixels.size()) / out_grid().scale[0] + zero;
      const double code = static_cast<double>(std::nearbyint(level)) + out_grid().lo;
      out_codes()[out] = static_cast<std::int32_t>(std::min<double>(std::max<double>(code, op.clamp_lo), op.clamp_hi));
    });
  }

  void operator()(const IntegerGlobalAveragePool2D& op) const {
    const Shape& shape = input().shape;
    const Index pixels = shape[0] * shape[1], channels = shape[2];
    const float divisor = out_grid().scale[0] * static_cast<float>(pixels);
    const float multiplier = in_grid().scale[0] / divisor;
    for (Index c = 0; c < channels; ++c) {
      std::int64_t sum = 0;
      for (Index p = 0; p < pixels; ++p) sum += in_codes()[p * channels + c] - in_grid().zero_point[0];
      if (sample_.graph.mode != RequantizationMode::ort) {
        const std::int64_t result =
            inference::naive_mode_average(sample_.graph.mode, in_grid(), out_grid(), sum, pixels);
        out_codes()[c] = clamp_code(result, op.clamp_lo, op.clamp_hi);
        continue;
      }
      out_codes()[c] =
          naive_clamp(std::nearbyint(static_cast<float>(sum) * multiplier), out_grid(), op.clamp_lo, op.clamp_hi);
    }
  }

  void operator()(const IntegerTable& op) const {
    const Index channels = op.codes.rank() == 2 ? op.codes.dim(0) : 1;
    for (Index i = 0; i < output().shape.size(); ++i) {
      const Index entry = in_codes()[i] - in_grid().lo;
      out_codes()[i] = op.codes.data<std::int32_t>()[i % channels * op.codes.dim(-1) + entry];
    }
  }

  void operator()(const QuantizeOp&) const {
    for (Index i = 0; i < output().shape.size(); ++i) {
      const float x = in_values()[i];
      if (std::isnan(x))
        fail<ValueError>("quantize \"", output().name, "\": element ", i, " of sample ", sample_.number,
                         " is NaN, which has no code");
      out_codes()[i] = naive_clamp(std::nearbyint(x / out_grid().scale[0]), out_grid(), out_grid().lo, out_grid().hi);
    }
  }

  void operator()(const DequantizeOp&) const {
    for (Index i = 0; i < output().shape.size(); ++i) out_values()[i] = real(in_codes()[i], in_grid());
  }

  void operator()(const MaxPool2DOp& op) const {
    if (!output().grid) return run_as_float();
    const std::int32_t* x = in_codes();
    for_each_window(pool2d_geometry(input_batch(), op.window, op.stride, op.padding),
                    [&](Index out, const std::vector<Index>& pixels) {
                      std::int32_t largest = in_grid().lo;
                      for (const Index pixel : pixels) largest = std::max(largest, x[pixel]);
                      out_codes()[out] = largest;
                    });
  }

  void operator()(const ReshapeOp&) const {
    if (!output().grid) return run_as_float();
    std::copy_n(in_codes(), output().shape.size(), out_codes());
  }

  void operator()(const Pad2DOp& op) const {
    if (!output().grid) return run_as_float();
    const Shape &from = input().shape, &to = output().shape;
    for (Index h = 0; h < to[0]; ++h)
      for (Index w = 0; w < to[1]; ++w)
        for (Index c = 0; c < to[2]; ++c) {
          const Index in_h = h - op.padding.top, in_w = w - op.padding.left;
          const bool inside = in_h >= 0 && in_h < from[0] && in_w >= 0 && in_w < from[1];
          out_codes()[(h * to[1] + w) * to[2] + c] =
              inside ? in_codes()[(in_h * from[1] + in_w) * from[2] + c] : in_grid().zero_point[0];
        }
  }

  void operator()(const Upsample2DOp& op) const {
    if (!output().grid) return run_as_float();
    const Shape &from = input().shape, &to = output().shape;
    for (Index h = 0; h < to[0]; ++h)
      for (Index w = 0; w < to[1]; ++w)
        for (Index c = 0; c < to[2]; ++c)
          out_codes()[(h * to[1] + w) * to[2] + c] =
              in_codes()[(h / op.factor.h * from[1] + w / op.factor.w) * from[2] + c];
  }

  void operator()(const InsertZeros2DOp& op) const {
    if (!output().grid) return run_as_float();
    const Shape &from = input().shape, &to = output().shape;
    for (Index h = 0; h < to[0]; ++h)
      for (Index w = 0; w < to[1]; ++w)
        for (Index c = 0; c < to[2]; ++c) {
          const bool pixel = h % op.stride.h == 0 && w % op.stride.w == 0;
          out_codes()[(h * to[1] + w) * to[2] + c] =
              pixel ? in_codes()[(h / op.stride.h * from[1] + w / op.stride.w) * from[2] + c] : in_grid().zero_point[0];
        }
  }

  void operator()(const WhereOp& op) const {
    if (!output().grid) return run_as_float();
    for (Index i = 0; i < output().shape.size(); ++i)
      out_codes()[i] = in_codes(op.mask.data<float>()[i] == 1.0F ? 0 : 1)[i];
  }

  template <class FloatOp>
  void operator()(const FloatOp&) const {
    run_as_float();
  }

 private:
  /// sums += x * (row k of the weights)
  void add_row(std::int64_t x, Index k, std::vector<std::int64_t>& sums) const {
    const std::int64_t* row = weights_.data() + k * static_cast<Index>(sums.size());
    for (std::size_t o = 0; o < sums.size(); ++o) sums[o] += x * row[o];
  }

  /// requantization.hpp's rules of sums.
  void add_in_mode(const IntegerAdd& op) const {
    const inference::NaiveModeSum add(sample_.graph.mode, in_grid(0), in_grid(1), out_grid());
    for (Index i = 0; i < output().shape.size(); ++i)
      out_codes()[i] = clamp_code(add(in_codes(0)[i], in_codes(1)[i]), op.clamp_lo, op.clamp_hi);
  }

  void average_in_mode(const IntegerAveragePool2D& op, const Pool2DGeometry& g) const {
    for_each_window(g, [&](Index out, const std::vector<Index>& pixels) {
      std::int64_t sum = 0;
      for (const Index pixel : pixels) sum += in_codes()[pixel] - in_grid().zero_point[0];
      const std::int64_t result = inference::naive_mode_window(sample_.graph.mode, in_grid(), out_grid(), sum,
                                                               static_cast<Index>(pixels.size()));
      out_codes()[out] = clamp_code(result, op.clamp_lo, op.clamp_hi);
    });
  }

  /// clamp(result + z_y, lo, hi)
  std::int32_t clamp_code(std::int64_t result, std::int32_t lo, std::int32_t hi) const {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(result + out_grid().zero_point[0], lo, hi));
  }

  /// The frozen layer's rule, from accumulators to element `at` and following of the output.
  void finish(const IntegerWeights& weights, const std::vector<std::int64_t>& sums, Index at) const {
    std::int32_t* codes = output().grid ? out_codes() + at : nullptr;
    float* values = output().grid ? nullptr : out_values() + at;
    for (std::size_t o = 0; o < sums.size(); ++o) {
      if (codes && inference::naive_fixed_point(sample_.graph.mode)) {
        const std::int64_t result =
            inference::naive_mode_result(sample_.graph.mode, weights, in_grid(), out_grid(), sums[o], o);
        codes[o] = clamp_code(result, weights.clamp_lo, weights.clamp_hi);
        continue;
      }
      const float product = static_cast<float>(sums[o]) * weights.multiplier[o];
      if (codes)
        codes[o] = naive_clamp(std::nearbyint(product), out_grid(), weights.clamp_lo, weights.clamp_hi);
      else
        values[o] = product;
    }
  }

  /// f(element of the output, elements of the input in its window in row-major order)
  template <class F>
  void for_each_window(const Pool2DGeometry& g, F&& f) const {
    std::vector<Index> pixels;
    for (Index oh = 0; oh < g.out_h; ++oh)
      for (Index ow = 0; ow < g.out_w; ++ow)
        for (Index c = 0; c < g.channels; ++c) {
          pixels.clear();
          for (Index kh = 0; kh < g.k_h; ++kh)
            for (Index kw = 0; kw < g.k_w; ++kw) {
              const Index h = oh * g.stride_h + kh - g.pad_top, w = ow * g.stride_w + kw - g.pad_left;
              if (h >= 0 && h < g.in_h && w >= 0 && w < g.in_w) pixels.push_back((h * g.in_w + w) * g.channels + c);
            }
          f((oh * g.out_w + ow) * g.channels + c, pixels);
        }
  }

  void run_as_float() const {
    std::vector<Tensor> inputs;
    for (const int input : node_.inputs) inputs.push_back(sample_.row(input));
    Tensor result = sample_.row(node_.output);
    result.copy_from(inference::run_float(node_.operation, output(), inputs));
  }

  const std::vector<std::int64_t>& weights_;
};

}  // namespace

std::vector<Tensor> run_naive(const InferenceGraph& graph, const Tensor& x) {
  const Shape& expected = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
  if (!x.defined() || x.rank() != expected.rank() + 1 || x.shape().without_front() != expected ||
      x.dtype() != DType::float32)
    fail<ShapeError>("run_naive: the input is ", x.dtype(), " ", x.shape(), ", expected a float32 batch of ", expected);
  std::vector<Tensor> all;
  for (const GraphTensor& tensor : graph.tensors)
    all.emplace_back(tensor.shape.prepended(x.dim(0)), tensor.grid ? DType::int32 : DType::float32);
  all[static_cast<std::size_t>(graph.input)].copy_from(x);
  std::vector<std::vector<std::int64_t>> weights;
  for (const GraphNode& node : graph.nodes) {
    const auto* conv = std::get_if<IntegerConv2D>(&node.operation);
    const auto* dense = std::get_if<IntegerDense>(&node.operation);
    weights.push_back(conv    ? naive_weights(conv->weights)
                      : dense ? naive_weights(dense->weights)
                              : std::vector<std::int64_t>());
  }
  parallel_for(x.dim(0), 1, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const NaiveSample sample{graph, all, n};
      for (std::size_t i = 0; i < graph.nodes.size(); ++i)
        std::visit(NaiveNode(sample, graph.nodes[i], weights[i]), graph.nodes[i].operation);
    }
  });
  return all;
}

}  // namespace bitgrad
