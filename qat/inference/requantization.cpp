#include <bitgrad/qat/inference/requantization.hpp>

#include <algorithm>
#include <array>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad {
namespace {

constexpr std::array modes{RequantizationMode::ort, RequantizationMode::xnnpack, RequantizationMode::tflm_double,
                           RequantizationMode::single, RequantizationMode::tflite_reference};

/// The place of a sample's largest value, the first one of equals. Codes are ordered as what they stand for.
template <class T>
Index argmax(const T* values, Index count) {
  return std::max_element(values, values + count) - values;
}

Index differing_argmaxes(const Tensor& a, const Tensor& b) {
  const Index count = a.size() / a.dim(0);
  Index differing = 0;
  const auto compare = [&]<class T>(T) {
    for (Index n = 0; n < a.dim(0); ++n)
      differing += argmax(a.data<T>() + n * count, count) != argmax(b.data<T>() + n * count, count);
  };
  if (a.dtype() == DType::int32)
    compare(std::int32_t{});
  else
    compare(0.0F);
  return differing;
}

void compare_codes(const Tensor& expected, const Tensor& found, ModeComparison& result) {
  const auto a = expected.span<std::int32_t>(), b = found.span<std::int32_t>();
  result.codes += expected.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::int32_t step = std::abs(a[i] - b[i]);
    result.differing += step != 0;
    result.largest_step = std::max(result.largest_step, step);
  }
}

}  // namespace

std::string_view name_of(RequantizationMode mode) {
  switch (mode) {
    case RequantizationMode::ort: return "ort";
    case RequantizationMode::xnnpack: return "xnnpack";
    case RequantizationMode::tflm_double: return "tflm_double";
    case RequantizationMode::single: return "single";
    case RequantizationMode::tflite_reference: return "tflite_reference";
  }
  fail<ValueError>("requantization mode ", static_cast<int>(mode), " does not exist");
}

std::span<const RequantizationMode> requantization_modes() { return modes; }

RequantizationMode requantization_mode(std::string_view name) {
  std::string names;
  for (const RequantizationMode mode : modes) {
    if (name_of(mode) == name) return mode;
    names += message(names.empty() ? "" : ", ", name_of(mode));
  }
  fail<ValueError>("requantization mode \"", name, "\", expected one of ", names);
}

void set_requantization(InferenceGraph& graph, RequantizationMode mode) {
  InferenceGraph changed = graph;  // tensors are handles: nothing large is copied
  changed.mode = mode;
  inference::check_mode(changed);
  graph.mode = mode;
}

std::vector<ModeComparison> compare_modes(const InferenceGraph& graph, const Tensor& images, Index batch) {
  if (batch < 1) fail<ValueError>("compare_modes: a batch of ", batch, ", expected at least 1");
  InferenceGraph trained = graph;
  set_requantization(trained, RequantizationMode::ort);
  std::vector<ModeComparison> results;
  std::vector<std::pair<std::size_t, InferenceSession>> others;
  for (const RequantizationMode mode : modes) {
    ModeComparison& result = results.emplace_back();
    result.mode = mode;
    result.samples = images.dim(0);
    try {
      InferenceGraph other = trained;
      set_requantization(other, mode);
      others.emplace_back(results.size() - 1, InferenceSession(other));
    } catch (const NotImplementedError& error) {
      result.refused = error.what();
    }
  }
  const InferenceSession session(trained);
  for (Index begin = 0; begin < images.dim(0); begin += batch) {
    const Tensor x = images.rows(begin, std::min(begin + batch, images.dim(0)));
    const std::vector<Tensor> expected = session.run_all(x);
    for (const auto& [number, other] : others) {
      const std::vector<Tensor> found = other.run_all(x);
      for (std::size_t t = 0; t < expected.size(); ++t)
        if (graph.tensors[t].grid) compare_codes(expected[t], found[t], results[number]);
      const std::size_t output = static_cast<std::size_t>(graph.output);
      results[number].argmaxes += differing_argmaxes(expected[output], found[output]);
    }
  }
  return results;
}

}  // namespace bitgrad
