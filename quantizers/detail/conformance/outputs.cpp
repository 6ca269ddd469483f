#include <bitgrad/quantizers/detail/conformance/outputs.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <numeric>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/quantizers/detail/conformance/rule.hpp>

namespace bitgrad::conformance {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The elements of each channel in order of x.
std::vector<std::vector<Index>> sorted_channels(const Probe& probe) {
  std::vector<std::vector<Index>> channels(probe.ruler.channels());
  for (Index i = 0; i < probe.x.size(); ++i) channels[probe.layout.channel_of(i)].push_back(i);
  const float* x = probe.x.data<float>();
  for (auto& channel : channels) std::ranges::stable_sort(channel, {}, [&](Index i) { return x[i]; });
  return channels;
}

}  // namespace

Tensor require_like(Tensor y, const Tensor& x) {
  if (y.shape() != x.shape() || y.dtype() != x.dtype())
    fail<ShapeError>("the output is ", y.dtype(), " ", y.shape(), ", expected ", x.dtype(), " ", x.shape());
  return y;
}

namespace {

class OutputChecks {
 public:
  OutputChecks(const Quantization& q, Recorder& recorder)
      : q_(q), recorder_(recorder), probe_(q.ruler, q.rank, dense_positions(q.ruler, q.seed)) {}

  void run() {
    const std::string all = message(q_.state, probe_.x.size(), " inputs around the levels");
    check(Property::channel_axis, "infinity everywhere", [&] { channel_axis(); });
    check(Property::side_effects, all, [&] { shape_and_side_effects(); });
    if (y_.shape() != probe_.x.shape()) return;
    check(Property::monotonicity, all, [&] { monotonicity(); });
    check(Property::levels, all, [&] { levels(); });
    check(Property::idempotence, all, [&] { idempotence(); });
    check(Property::zero, "zeros", [&] { zero(); });
    check(Property::special_values, "constants", [&] { constants(); });
    check(Property::special_values, "a NaN among numbers", [&] { not_a_number(); });
  }

 private:
  template <class Check>
  void check(Property property, std::string_view input, Check&& f) {
    recorder_.check(property, q_.state + std::string(input), f);
  }
  void find(Property property, const std::string& input, const std::string& values) {
    recorder_.find(property, q_.state + input, values);
  }
  Tensor constant(float value) const {
    const Tensor x = Tensor::full(probe_.x.shape(), static_cast<double>(value));
    return require_like(q_.values(x), x);
  }

  void shape_and_side_effects() {
    const Tensor before = probe_.x.clone();
    const Tensor y = require_like(q_.values(probe_.x), probe_.x);
    y_ = y.clone();
    if (!identical(before, probe_.x)) {
      find(Property::side_effects, message(probe_.x.size(), " inputs"), "the input was changed");
      probe_.x.copy_from(before);
    }
  }

  /// A constant comes out as one value per channel: its level.
  void channel_axis() {
    for (const float value : {infinity, -infinity}) {
      const Tensor y = constant(value);
      std::vector<std::optional<Index>> first(probe_.ruler.channels());
      for (Index i = 0; i < y.size(); ++i) {
        auto& reference = first[probe_.layout.channel_of(i)];
        if (!reference) reference = i;
        const float a = y.data<float>()[*reference], b = y.data<float>()[i];
        if (a != b)
          return find(Property::channel_axis, message("all elements ", value, ", shape ", y.shape()),
                      message("elements ", *reference, " and ", i, " of one channel give ", exact(a), " and ", exact(b),
                              "; channels are on axis ", probe_.ruler.axis ? *probe_.ruler.axis : 0));
      }
    }
  }

  void monotonicity() {
    const float *x = probe_.x.data<float>(), *y = y_.data<float>();
    for (const auto& channel : sorted_channels(probe_))
      for (std::size_t k = 1; k < channel.size(); ++k) {
        const Index a = channel[k - 1], b = channel[k];
        if (!(y[a] <= y[b]) || (x[a] == x[b] && y[a] != y[b]))
          return find(Property::monotonicity, message(probe_.name(a), " and ", probe_.name(b)),
                      message(exact(y[a]), " and then ", exact(y[b])));
      }
  }

  void levels() {
    const double most = std::exp2(q_.bits);
    for (const auto& channel : sorted_channels(probe_)) {
      std::vector<float> values;
      for (const Index i : channel) values.push_back(y_.data<float>()[i]);
      std::ranges::sort(values);
      values.erase(std::unique(values.begin(), values.end()), values.end());
      if (static_cast<double>(values.size()) > most)
        return find(Property::levels,
                    message("channel ", probe_.layout.channel_of(channel.front()), ", ", channel.size(), " inputs"),
                    message(values.size(), " different outputs from ", exact(values.front()), " to ",
                            exact(values.back()), ", expected at most ", most, " for ", q_.bits, " bits"));
    }
  }

  void idempotence() {
    const Tensor again = q_.values(y_);
    for (Index i = 0; i < y_.size(); ++i)
      if (again.data<float>()[i] != y_.data<float>()[i])
        return find(Property::idempotence, probe_.name(i),
                    message("once ", exact(y_.data<float>()[i]), ", twice ", exact(again.data<float>()[i])));
  }

  void zero() {
    const Tensor y = constant(0);
    for (Index i = 0; i < y.size(); ++i)
      if (y.data<float>()[i] != 0)
        return find(Property::zero, message("0 in channel ", probe_.layout.channel_of(i)),
                    "0 becomes " + exact(y.data<float>()[i]));
  }

  /// Tiny numbers are as good as zero, huge ones saturate as infinities do, and everything is finite.
  void constants() {
    const auto same = [&](float value, float like) {
      const Tensor y = constant(value), expected = constant(like);
      for (Index i = 0; i < y.size(); ++i) {
        const float found = y.data<float>()[i], wanted = expected.data<float>()[i];
        if (std::isfinite(found) && found == wanted) continue;
        find(Property::special_values, message("all elements ", value),
             message("gives ", exact(found), ", ", like, " gives ", exact(wanted)));
        return;
      }
    };
    for (const float sign : {1.0F, -1.0F}) {
      same(sign * 1e-30F, 0);
      same(sign * 1e-42F, 0);
      same(sign * 1e30F, sign * infinity);
      same(sign * std::numeric_limits<float>::max(), sign * infinity);
    }
    const Tensor low = constant(-infinity), high = constant(infinity);
    for (Index i = 0; i < y_.size(); ++i) {
      const float y = y_.data<float>()[i];
      if (y < low.data<float>()[i] || y > high.data<float>()[i])
        return find(Property::special_values, message("all elements infinite, and ", probe_.name(i)),
                    message(exact(y), " lies beyond the outputs of infinities, ", exact(low.data<float>()[i]), " and ",
                            exact(high.data<float>()[i])));
    }
  }

  void not_a_number() {
    Tensor x = probe_.x.clone();
    const Index at = x.size() / 2;
    x.data<float>()[at] = std::numeric_limits<float>::quiet_NaN();
    const Tensor y = q_.values(x);
    if (!std::isnan(y.data<float>()[at]))
      find(Property::special_values, message("element ", at, " NaN"), "NaN becomes " + exact(y.data<float>()[at]));
    for (Index i = 0; i < y.size(); ++i)
      if (i != at && y.data<float>()[i] != y_.data<float>()[i])
        return find(
            Property::special_values, message("element ", at, " NaN"),
            message("element ", i, " changes from ", exact(y_.data<float>()[i]), " to ", exact(y.data<float>()[i])));
  }

  const Quantization& q_;
  Recorder& recorder_;
  Probe probe_;
  Tensor y_;
};

struct ThreadCount {
  explicit ThreadCount() : before(num_threads()) {}
  ~ThreadCount() { set_num_threads(before); }
  int before;
};

}  // namespace

void check_outputs(const Quantization& quantization, Recorder& recorder) {
  recorder.check(Property::special_values, quantization.state + "building the inputs",
                 [&] { OutputChecks(quantization, recorder).run(); });
}

void check_threads(const Quantization& quantization, std::span<const int> threads,
                   const std::function<std::vector<Tensor>(const Tensor&)>& outputs, Recorder& recorder) {
  if (threads.empty()) return;
  constexpr std::size_t many = 1 << 17;  // enough for every operation to be cut into pieces
  const auto positions =
      random_positions(quantization.ruler, many / quantization.ruler.channels(), 2, quantization.seed);
  const Probe probe(quantization.ruler, quantization.rank, positions);
  const ThreadCount restored;
  std::vector<Tensor> expected;
  for (const int count : threads) {
    set_num_threads(count);
    std::vector<Tensor> found = outputs(probe.x);
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (!identical(expected[i], found[i]))
        return recorder.find(
            Property::threads, message(quantization.state, probe.x.size(), " inputs"),
            message("output or gradient ", i, " differs between ", threads.front(), " and ", count, " threads"));
    if (expected.empty()) expected = std::move(found);
  }
}

}  // namespace bitgrad::conformance
