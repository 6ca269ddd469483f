// A graph builder that computes as it is told, one sample at a time, in double and in the most literal way. It is the
// independent opinion on both what a layer computes in inference and how it lowers itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <bitgrad/layers/model.hpp>

namespace support {

using namespace bitgrad;

inline Tensor doubles(const Tensor& x) { return x.to(DType::float64); }

class NaiveExecutor : public GraphBuilder {
 public:
  /// `sample` without the batch axis.
  GraphValue input(const Tensor& sample) { return push(doubles(sample)); }
  const Tensor& value(GraphValue v) const { return values_.at(static_cast<std::size_t>(v.index)); }
  const std::vector<std::string>& layer_names() const { return layer_names_; }

  void set_layer_name(std::string_view name) override { layer_names_.emplace_back(name); }
  Shape shape(GraphValue v) const override { return value(v).shape(); }

  GraphValue conv2d(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                    const GraphWeight& bias) override {
    const auto& [stride, padding, dilation, groups] = window;
    const Tensor k = doubles(kernel.value);
    const Tensor& in = value(x);
    const Window h(in.dim(0), (k.dim(0) - 1) * dilation.h + 1, stride.h, padding, padding.top, padding.bottom);
    const Window w(in.dim(1), (k.dim(1) - 1) * dilation.w + 1, stride.w, padding, padding.left, padding.right);
    Tensor out = Tensor::zeros({h.out, w.out, k.dim(3)}, DType::float64);
    for (Index i = 0; i < h.out; ++i)
      for (Index j = 0; j < w.out; ++j)
        for (Index o = 0; o < k.dim(3); ++o) {
          double& sum = out.at<double>({i, j, o});
          if (bias.value.defined()) sum = static_cast<double>(bias.value.at<float>({o}));
          for (Index a = 0; a < k.dim(0); ++a)
            for (Index b = 0; b < k.dim(1); ++b)
              for (Index c = 0; c < k.dim(2); ++c) {
                const Index y = i * stride.h + a * dilation.h - h.before, z = j * stride.w + b * dilation.w - w.before;
                const Index group = o / (k.dim(3) / groups);
                if (y >= 0 && y < in.dim(0) && z >= 0 && z < in.dim(1))
                  sum += in.at<double>({y, z, group * k.dim(2) + c}) * k.at<double>({a, b, c, o});
              }
        }
    return push(out);
  }

  /// Every pixel throws its multiple of the kernel onto a canvas, of which the padding is cut off.
  GraphValue conv2d_transpose(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                              const GraphWeight& bias) override {
    const auto& [stride, padding, dilation, groups] = window;
    const Tensor k = doubles(kernel.value);
    const Tensor& in = value(x);
    const auto axis = [&padding = padding](Index pixels, Index reach, Index step, Index before, Index after) {
      const Index whole = (pixels - 1) * step + reach, excess = std::max<Index>(reach - step, 0);
      if (padding.kind == Padding::Kind::valid) return std::pair{Index{0}, std::max(whole, pixels * step)};
      if (padding.kind == Padding::Kind::same) return std::pair{excess / 2, pixels * step};
      return std::pair{before, whole - before - after};
    };
    const auto [top, rows] = axis(in.dim(0), (k.dim(0) - 1) * dilation.h + 1, stride.h, padding.top, padding.bottom);
    const auto [left, columns] =
        axis(in.dim(1), (k.dim(1) - 1) * dilation.w + 1, stride.w, padding.left, padding.right);
    Tensor out = Tensor::zeros({rows, columns, k.dim(3)}, DType::float64);
    for (Index i = 0; bias.value.defined() && i < out.size(); ++i)
      out.data<double>()[i] = static_cast<double>(bias.value.data<float>()[i % k.dim(3)]);
    for (Index i = 0; i < in.dim(0); ++i)
      for (Index j = 0; j < in.dim(1); ++j)
        for (Index a = 0; a < k.dim(0); ++a)
          for (Index b = 0; b < k.dim(1); ++b) {
            const Index y = i * stride.h + a * dilation.h - top, z = j * stride.w + b * dilation.w - left;
            if (y < 0 || y >= rows || z < 0 || z >= columns) continue;
            for (Index c = 0; c < k.dim(2); ++c)
              for (Index o = 0; o < k.dim(3); ++o)
                out.at<double>({y, z, o}) += in.at<double>({i, j, c}) * k.at<double>({a, b, c, o});
          }
    return push(out);
  }

  GraphValue dense(GraphValue x, const GraphWeight& kernel, const GraphWeight& bias) override {
    Tensor out = Tensor::zeros({kernel.value.dim(1)}, DType::float64);
    for (Index o = 0; o < out.size(); ++o) {
      if (bias.value.defined()) out.at<double>({o}) = static_cast<double>(bias.value.at<float>({o}));
      for (Index i = 0; i < kernel.value.dim(0); ++i)
        out.at<double>({o}) += value(x).at<double>({i}) * static_cast<double>(kernel.value.at<float>({i, o}));
    }
    return push(out);
  }

  GraphValue batch_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                        const Tensor& variance, float epsilon) override {
    return per_channel(x, [&, g = doubles(gamma), b = doubles(beta), m = doubles(mean), v = doubles(variance)](
                              double e, Index c) {
      return (e - m.at<double>({c})) / std::sqrt(v.at<double>({c}) + static_cast<double>(epsilon)) * g.at<double>({c}) +
             b.at<double>({c});
    });
  }
  GraphValue layer_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, float epsilon) override {
    Tensor out = value(x).clone();
    const Index n = out.dim(-1);
    for (Index row = 0; row < out.size() / n; ++row) {
      double* e = out.data<double>() + row * n;
      double sum = 0, squares = 0;
      for (Index i = 0; i < n; ++i) sum += e[i];
      for (Index i = 0; i < n; ++i)
        squares += (e[i] - sum / static_cast<double>(n)) * (e[i] - sum / static_cast<double>(n));
      const double deviation = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(epsilon));
      for (Index i = 0; i < n; ++i)
        e[i] = (e[i] - sum / static_cast<double>(n)) / deviation * static_cast<double>(gamma.at<float>({i})) +
               static_cast<double>(beta.at<float>({i}));
    }
    return push(out);
  }
  GraphValue normalize(GraphValue x, const Tensor& mean, const Tensor& deviation) override {
    return per_channel(x, [&, m = doubles(mean), d = doubles(deviation)](double e, Index c) {
      return (e - m.at<double>({m.size() == 1 ? 0 : c})) / d.at<double>({d.size() == 1 ? 0 : c});
    });
  }
  GraphValue max_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override {
    return pool(x, window, stride, padding,
                [](const std::vector<double>& seen) { return *std::ranges::max_element(seen); });
  }
  GraphValue average_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override {
    return pool(x, window, stride, padding, mean);
  }
  GraphValue global_average_pool2d(GraphValue x) override {
    const Shape s = shape(x);
    const GraphValue y = pool(x, {s[0], s[1]}, {1, 1}, Padding::valid(), mean);
    return push(value(y).reshape({s[2]}));
  }
  GraphValue upsample2d(GraphValue x, UpsampleFactor factor, Interpolation interpolation) override {
    const Tensor& in = value(x);
    Tensor out({in.dim(0) * factor.h, in.dim(1) * factor.w, in.dim(2)}, DType::float64);
    const auto position = [](Index o, Index times, Index extent) {
      const double centre = (static_cast<double>(o) + 0.5) / static_cast<double>(times) - 0.5;
      return std::min(std::max(centre, 0.0), static_cast<double>(extent - 1));
    };
    for (Index i = 0; i < out.dim(0); ++i)
      for (Index j = 0; j < out.dim(1); ++j)
        for (Index c = 0; c < out.dim(2); ++c) {
          if (interpolation == Interpolation::nearest) {
            out.at<double>({i, j, c}) = in.at<double>({i / factor.h, j / factor.w, c});
            continue;
          }
          const double h = position(i, factor.h, in.dim(0)), w = position(j, factor.w, in.dim(1));
          double sum = 0;
          for (Index a = 0; a < in.dim(0); ++a)
            for (Index b = 0; b < in.dim(1); ++b)  // every pixel is a tent of width 2
              sum += std::max(0.0, 1 - std::abs(h - static_cast<double>(a))) *
                     std::max(0.0, 1 - std::abs(w - static_cast<double>(b))) * in.at<double>({a, b, c});
          out.at<double>({i, j, c}) = sum;
        }
    return push(out);
  }
  GraphValue clamp(GraphValue x, float low, float high) override {
    return per_channel(
        x, [=](double e, Index) { return std::min(std::max(e, static_cast<double>(low)), static_cast<double>(high)); });
  }
  GraphValue elementwise(GraphValue x, ElementwiseFunction function) override {
    using enum ElementwiseFunction;
    const auto hard = [](double e) { return std::min(std::max(e + 3, 0.0), 6.0) / 6; };
    return per_channel(x, [=](double e, Index) {
      switch (function) {
        case sigmoid: return 1 / (1 + std::exp(-e));
        case ElementwiseFunction::tanh: return std::tanh(e);
        case gelu: return 0.5 * e * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (e + 0.044715 * e * e * e)));
        case hard_sigmoid: return hard(e);
        case hard_swish: return e * hard(e);
        default: throw std::runtime_error("no layer uses this function");
      }
    });
  }
  GraphValue leaky_relu(GraphValue x, float slope) override {
    return per_channel(x, [=](double e, Index) { return e > 0 ? e : static_cast<double>(slope) * e; });
  }
  GraphValue pow(GraphValue x, float exponent) override {
    return per_channel(x, [=](double e, Index) { return std::pow(e, static_cast<double>(exponent)); });
  }
  GraphValue softmax(GraphValue x) override {
    const GraphValue y = log_softmax(x);
    return per_channel(y, [](double e, Index) { return std::exp(e); });
  }
  GraphValue log_softmax(GraphValue x) override {
    Tensor out = value(x).clone();
    const Index n = out.dim(-1);
    for (Index row = 0; row < out.size() / n; ++row) {
      double* e = out.data<double>() + row * n;
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += std::exp(e[i]);
      for (Index i = 0; i < n; ++i) e[i] -= std::log(sum);
    }
    return push(out);
  }
  GraphValue add(GraphValue a, GraphValue b) override {
    Tensor out = value(a).clone();
    for (Index i = 0; i < out.size(); ++i) out.data<double>()[i] += value(b).data<double>()[i];
    return push(out);
  }
  GraphValue where(const Tensor& mask, GraphValue a, GraphValue b) override {
    Tensor out = value(b).clone();
    for (Index i = 0; i < out.size(); ++i)
      if (mask.data<float>()[i] != 0) out.data<double>()[i] = value(a).data<double>()[i];
    return push(out);
  }
  GraphValue concat(std::span<const GraphValue> parts, int axis) override {
    Index extent = 0;
    for (const GraphValue part : parts) extent += shape(part)[axis];
    Tensor out(shape(parts.front()).with(axis, extent), DType::float64);
    Index inner = 1, begin = 0;
    for (int i = axis + 1; i < out.rank(); ++i) inner *= out.dim(i);
    for (const GraphValue part : parts) {
      const Tensor& from = value(part);
      const Index run = from.dim(axis) * inner;
      for (Index i = 0; i < from.size(); ++i)
        out.data<double>()[i / run * extent * inner + begin + i % run] = from.data<double>()[i];
      begin += run;
    }
    return push(out);
  }
  GraphValue reshape(GraphValue x, const Shape& s) override { return push(value(x).reshape(s)); }
  GraphValue pad2d(GraphValue x, const Padding& p) override {
    const Tensor& in = value(x);
    Tensor out = Tensor::zeros({in.dim(0) + p.top + p.bottom, in.dim(1) + p.left + p.right, in.dim(2)}, DType::float64);
    for (Index i = 0; i < in.dim(0); ++i)
      for (Index j = 0; j < in.dim(1); ++j)
        for (Index c = 0; c < in.dim(2); ++c) out.at<double>({i + p.top, j + p.left, c}) = in.at<double>({i, j, c});
    return push(out);
  }

 private:
  /// One axis of a sliding window.
  struct Window {
    Window(Index in, Index size, Index stride, const Padding& padding, Index first, Index last) {
      if (padding.kind == Padding::Kind::same) {
        out = (in + stride - 1) / stride;
        before = std::max<Index>((out - 1) * stride + size - in, 0) / 2;
      } else {
        before = first;
        out = (in + first + last - size) / stride + 1;
      }
    }
    Index before = 0, out = 0;
  };

  static double mean(const std::vector<double>& seen) {
    double sum = 0;
    for (const double e : seen) sum += e;
    return sum / static_cast<double>(seen.size());
  }

  template <class F>
  GraphValue per_channel(GraphValue x, F f) {
    Tensor out = value(x).clone();
    for (Index i = 0; i < out.size(); ++i) out.data<double>()[i] = f(out.data<double>()[i], i % out.dim(-1));
    return push(out);
  }

  template <class F>
  GraphValue pool(GraphValue x, PoolWindow size, Stride stride, const Padding& padding, F reduce) {
    const Tensor& in = value(x);
    const Window h(in.dim(0), size.h, stride.h, padding, padding.top, padding.bottom);
    const Window w(in.dim(1), size.w, stride.w, padding, padding.left, padding.right);
    Tensor out({h.out, w.out, in.dim(2)}, DType::float64);
    for (Index i = 0; i < h.out; ++i)
      for (Index j = 0; j < w.out; ++j)
        for (Index c = 0; c < in.dim(2); ++c) {
          std::vector<double> seen;
          for (Index y = i * stride.h - h.before; y < i * stride.h - h.before + size.h; ++y)
            for (Index z = j * stride.w - w.before; z < j * stride.w - w.before + size.w; ++z)
              if (y >= 0 && y < in.dim(0) && z >= 0 && z < in.dim(1)) seen.push_back(in.at<double>({y, z, c}));
          out.at<double>({i, j, c}) = reduce(seen);
        }
    return push(out);
  }

  GraphValue push(Tensor t) {
    values_.push_back(std::move(t));
    return {static_cast<int>(values_.size()) - 1};
  }

  std::vector<Tensor> values_;
  std::vector<std::string> layer_names_;
};

/// What the lowered model computes for a batch.
inline Tensor run_naively(const Model& model, const Tensor& x) {
  Tensor out(model.output_shape().prepended(x.dim(0)), DType::float64);
  for (Index i = 0; i < x.dim(0); ++i) {
    NaiveExecutor executor;
    const GraphValue y = model.lower(executor, executor.input(x.rows(i, i + 1).reshape(x.shape().without_front())));
    out.rows(i, i + 1).reshape(model.output_shape()).copy_from(executor.value(y));
  }
  return out;
}

/// The largest difference relative to the largest magnitude.
inline double relative_difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  const Tensor x = doubles(a), y = doubles(b);
  double difference = 0, magnitude = 1e-30;
  for (Index i = 0; i < x.size(); ++i) {
    difference = std::max(difference, std::abs(x.data<double>()[i] - y.data<double>()[i]));
    magnitude = std::max(magnitude, std::abs(y.data<double>()[i]));
  }
  return difference / magnitude;
}

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, double lo = -1, double hi = 1) {
  Tensor result(shape);
  Random(seed, 99).fill_uniform(result, lo, hi);
  return result;
}

/// Parameters and buffers that are no longer what a new layer starts with.
inline void scramble(Model& model, std::uint64_t seed) {
  Random random(seed, 98);
  for (auto& [name, parameter] : model.parameters()) random.fill_uniform(parameter->value(), -1, 1);
  for (auto& [name, buffer] : model.buffers())
    if (name.ends_with("moving_mean") || name.ends_with("moving_variance"))
      random.fill_uniform(buffer, name.ends_with("mean") ? -1 : 0.1, 2);
}

}  // namespace support
