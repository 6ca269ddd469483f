// Nodes between codes that ride as int16.
#include <algorithm>
#include <atomic>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/code_table.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/int16_concat.hpp>
#include <bitgrad/qat/inference/detail/mode_rules.hpp>
#include <bitgrad/qat/inference/detail/moving.hpp>
#include <bitgrad/qat/inference/detail/program.hpp>

namespace bitgrad::inference {
namespace {

/// The weights as int16, zero points taken off; empty where one does not fit.
std::vector<std::int16_t> int16_weights(const IntegerWeights& weights) {
  using Limits = std::numeric_limits<std::int16_t>;
  const std::vector<std::int32_t> centred = centred_weights(weights);
  const auto fits = [](std::int32_t w) { return w >= Limits::min() && w <= Limits::max(); };
  if (!std::ranges::all_of(centred, fits)) return {};
  return {centred.begin(), centred.end()};
}

/// Makes the step of one node. Operations without a function here have none.
class Int16Step {
 public:
  Int16Step(const InferenceGraph& graph, const MemoryPlan& plan, const GraphNode& node)
      : graph_(graph), plan_(plan), node_(node) {}

  Step operator()(const QuantizeOp&) const;
  Step operator()(const DequantizeOp&) const;
  Step operator()(const IntegerConv2D& op) const;
  Step operator()(const IntegerDense& op) const;
  Step operator()(const IntegerAdd& op) const;
  Step operator()(const IntegerConcat& op) const;
  Step operator()(const IntegerGlobalAveragePool2D& op) const;
  Step operator()(const IntegerTable& op) const;
  Step operator()(const MaxPool2DOp& op) const;
  Step operator()(const Pad2DOp& op) const;
  Step operator()(const ReshapeOp&) const {
    return [](const Slice&) {};  // the memory plan leaves it where it is
  }
  template <class Op>
  Step operator()(const Op&) const {
    return {};
  }

 private:
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const GraphTensor& input(std::size_t i = 0) const { return tensor(node_.inputs[i]); }
  const GraphTensor& output() const { return tensor(node_.output); }
  Place place(int t) const { return plan_.places[static_cast<std::size_t>(t)]; }
  Place from(std::size_t i = 0) const { return place(node_.inputs[i]); }
  Place to() const { return place(node_.output); }
  static bool is_int16(const Place& place) { return place.carrier == Carrier::int16; }
  bool all_int16() const {
    return std::ranges::all_of(node_.inputs, [&](int t) { return is_int16(place(t)); }) && is_int16(to());
  }
  /// `make(weights, args...)` gives the product for int16 weights, with or without a rule for codes.
  template <class Make>
  Step linear(const IntegerWeights& weights, Make&& make) const;
  /// Of the input's codes.
  kernels::CodeRange range() const {
    const CentredRange range = centred_range(*input().grid);
    return {static_cast<std::int32_t>(range.lo), static_cast<std::int32_t>(range.hi)};
  }

  const InferenceGraph& graph_;
  const MemoryPlan& plan_;
  const GraphNode& node_;
};

Step Int16Step::operator()(const QuantizeOp&) const {
  if (from().carrier != Carrier::float32 || !is_int16(to())) return {};
  constexpr std::size_t width = 256;  // a row of parameters as the loops want it
  const Grid& grid = *output().grid;
  const std::int32_t zero = grid.zero_point[0];
  return [x = from(), y = to(), &target = output(), scale = std::vector<float>(width, grid.scale[0]),
          lo = std::vector<float>(width, static_cast<float>(grid.lo - zero)),
          hi = std::vector<float>(width, static_cast<float>(grid.hi - zero)),
          none = std::vector<std::int32_t>(width, 0)](const Slice& slice) {
    const Index size = slice.samples * x.elements;
    const float* values = slice.floats(x);
    std::int16_t* codes = slice.at<std::int16_t>(y);
    std::atomic<bool> found_nan{false};
    parallel_for(size, Index{width} * 128, [&](Index begin, Index end) {
      if (kernels::code_table<std::int16_t>().quantize(end - begin, width, values + begin, scale.data(), lo.data(),
                                                       hi.data(), none.data(), codes + begin))
        found_nan = true;
    });
    if (found_nan) refuse_nan(target, {values, static_cast<std::size_t>(size)}, slice.first);
  };
}

Step Int16Step::operator()(const DequantizeOp&) const {
  if (!is_int16(from())) return {};
  return [x = from(), y = to(), scale = input().grid->scale[0]](const Slice& slice) {
    const std::int16_t* codes = slice.at<std::int16_t>(x);
    std::transform(codes, codes + slice.samples * x.elements, slice.at<float>(y),
                   [scale](std::int16_t q) { return static_cast<float>(q) * scale; });
  };
}

template <class Make>
Step Int16Step::linear(const IntegerWeights& weights, Make&& make) const {
  const std::vector<std::int16_t> codes = int16_weights(weights);
  const bool to_codes = is_int16(to());
  if (!is_int16(from()) || codes.empty() || !(to_codes || to().carrier == Carrier::float32)) return {};
  const bool fixed = to_codes && uses_fixed_point(graph_.mode);
  if (to_codes && !fixed) {
    const std::int32_t zero = output().grid->zero_point[0];
    const kernels::CentredCodes rule{weights.multiplier.data(), weights.clamp_lo - zero, weights.clamp_hi - zero};
    return [product = make(codes.data(), rule), x = from(), y = to()](const Slice& slice) {
      product.run(slice.samples, slice.at<std::int16_t>(x), slice.at<std::int16_t>(y));
    };
  }
  return [product = make(codes.data()), x = from(), y = to(), &weights, &target = output(), mode = graph_.mode,
          multipliers = fixed ? layer_multipliers(weights, *input().grid, *output().grid)
                              : std::vector<FixedPoint>()](const Slice& slice) {
    const Index size = slice.samples * y.elements, rows = size / static_cast<Index>(weights.multiplier.size());
    const kernels::Scratch<std::int32_t> sums(size);
    product.run(slice.samples, slice.at<std::int16_t>(x), sums.data());
    if (multipliers.empty())
      rescale(weights, rows, sums.data(), slice.at<float>(y));
    else
      requantize_in_fixed_point(weights, *target.grid, rounding_of(mode, weights), multipliers, rows, sums.data(),
                                slice.at<std::int16_t>(y));
  };
}

Step Int16Step::operator()(const IntegerConv2D& op) const {
  const Conv2DGeometry g = conv2d_geometry(input().shape.prepended(1), op.weights.codes.shape(), op.window);
  return linear(op.weights, [&](const std::int16_t* kernel, const auto&... rule) {
    return kernels::Int16Conv2D(g, kernel, op.weights.bias.data<std::int32_t>(), rule..., range());
  });
}

Step Int16Step::operator()(const IntegerDense& op) const {
  const Index in = op.weights.codes.dim(0), out = op.weights.codes.dim(1);
  return linear(op.weights, [&](const std::int16_t* kernel, const auto&... rule) {
    return kernels::Int16Dense(in, out, kernel, op.weights.bias.data<std::int32_t>(), rule..., range());
  });
}

Step Int16Step::operator()(const IntegerAdd& op) const {
  if (graph_.mode != RequantizationMode::ort || !all_int16()) return {};
  return [rule = code_addition(op, *input(0).grid, *input(1).grid, *output().grid), a = from(0), b = from(1),
          y = to()](const Slice& slice) {
    kernels::add_codes(slice.samples * y.elements, slice.at<std::int16_t>(a), slice.at<std::int16_t>(b), rule,
                       slice.at<std::int16_t>(y));
  };
}

Step Int16Step::operator()(const IntegerConcat& op) const {
  return all_int16() ? int16_concat(graph_, plan_, node_, op) : Step();
}

Step Int16Step::operator()(const IntegerGlobalAveragePool2D& op) const {
  if (graph_.mode != RequantizationMode::ort || !all_int16()) return {};
  const Index pixels = input().shape[0] * input().shape[1], channels = input().shape[2];
  const Grid& grid = *output().grid;
  const float multiplier = mean_multiplier(*input().grid, grid, pixels);
  const std::int32_t zero = grid.zero_point[0], lo = op.clamp_lo - zero, hi = op.clamp_hi - zero;
  return [=, x = from(), y = to()](const Slice& slice) {
    const Index size = slice.samples * channels;
    const kernels::Scratch<std::int32_t> sums(size);
    kernels::sum_pixels(slice.samples, pixels, channels, slice.at<std::int16_t>(x), sums.data());
    kernels::requantize(size, 1, sums.data(), {&multiplier, 0, lo, hi}, slice.at<std::int16_t>(y));
  };
}

Step Int16Step::operator()(const IntegerTable& op) const {
  if (!all_int16()) return {};
  const Index entries = op.codes.dim(-1), channels = op.codes.rank() == 2 ? op.codes.dim(0) : 1;
  const Index first = input().grid->zero_point[0] - input().grid->lo;  // position of centred code 0
  std::vector<std::int16_t> table;
  for (const std::int32_t code : op.codes.span<std::int32_t>())
    table.push_back(static_cast<std::int16_t>(code - output().grid->zero_point[0]));
  return [=, x = from(), y = to(), table = std::move(table)](const Slice& slice) {
    const std::int16_t* codes = slice.at<std::int16_t>(x);
    std::int16_t* results = slice.at<std::int16_t>(y);
    for (Index i = 0; i < slice.samples * x.elements; i += channels)
      for (Index c = 0; c < channels; ++c) results[i + c] = table.data()[c * entries + codes[i + c] + first];
  };
}

Step Int16Step::operator()(const MaxPool2DOp& op) const {
  if (!all_int16()) return {};
  const Pool2DGeometry one = pool2d_geometry(input().shape.prepended(1), op.window, op.stride, op.padding);
  return [one, x = from(), y = to()](const Slice& slice) {
    Pool2DGeometry g = one;
    g.batch = slice.samples;
    kernels::max_pool2d_codes(g, slice.at<std::int16_t>(x), slice.at<std::int16_t>(y));
  };
}

Step Int16Step::operator()(const Pad2DOp& op) const {
  if (!all_int16()) return {};
  return [x = from(), y = to(), padding = op.padding, in = input().shape, out = output().shape](const Slice& slice) {
    pad2d<std::int16_t>(in.prepended(slice.samples), out.prepended(slice.samples), padding, 0,
                        slice.at<std::int16_t>(x), slice.at<std::int16_t>(y));
  };
}

}  // namespace

Step int16_step(const InferenceGraph& graph, const MemoryPlan& plan, std::size_t node) {
  return std::visit(Int16Step(graph, plan, graph.nodes[node]), graph.nodes[node].operation);
}

}  // namespace bitgrad::inference
