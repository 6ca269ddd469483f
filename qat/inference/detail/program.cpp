#include <bitgrad/qat/inference/detail/program.hpp>

#include <algorithm>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/detail/rules.hpp>

namespace bitgrad::inference {
namespace {

constexpr std::size_t slice_bytes = std::size_t{1} << 18;  // of a slice's tensors: they stay in the second-level cache

}  // namespace

IntegerProgram::IntegerProgram(const InferenceGraph& graph) : graph_(graph), plan_(graph) {
  std::vector<std::size_t> rest;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    steps_.push_back(int16_step(graph, plan_, n));
    if (!steps_.back()) rest.push_back(n);
  }
  rest_ = std::make_unique<Engine<std::int32_t>>(graph, rest);
  for (const std::size_t n : rest) steps_[n] = tensor_step(graph, plan_, n, *rest_);
}

/// Samples per slice: few enough for the cache, and as many slices as occupy all threads.
Index IntegerProgram::slice_for(Index batch) const {
  const auto fitting = static_cast<Index>(slice_bytes / std::max<std::size_t>(plan_.sample_bytes, 1));
  const Index most = std::clamp<Index>(fitting, 1, slice_samples), slices = chunk_count(batch, most);
  if (slices <= 1) return std::max<Index>(batch, 1);
  const Index threads = num_threads();
  return chunk_count(batch, chunk_count(slices, threads) * threads);
}

void IntegerProgram::load(const Execution& execution, const Tensor& x, const Slice& slice) const {
  const std::size_t t = static_cast<std::size_t>(execution.start);
  const Place& place = plan_.places[t];
  if (place.carrier == Carrier::int16) import_codes(graph_.tensors[t], x, slice.first, slice.at<std::int16_t>(place));
  if (place.carrier == Carrier::int32) import_codes(graph_.tensors[t], x, slice.first, slice.at<std::int32_t>(place));
}

void IntegerProgram::store(int tensor, const Slice& slice, Tensor& result) const {
  const Place& place = plan_.places[static_cast<std::size_t>(tensor)];
  const Index count = slice.samples * place.elements, at = slice.first * place.elements;
  const std::optional<Grid>& grid = graph_.tensors[static_cast<std::size_t>(tensor)].grid;
  if (place.carrier == Carrier::float32)
    std::copy_n(slice.floats(place), count, result.data<float>() + at);
  else if (place.carrier == Carrier::int16)
    export_codes(*grid, count, slice.at<std::int16_t>(place), result.data<std::int32_t>() + at);
  else
    export_codes(*grid, count, slice.at<std::int32_t>(place), result.data<std::int32_t>() + at);
}

std::vector<Tensor> IntegerProgram::run(const Execution& execution, const Tensor& x, bool all) const {
  const Index batch = x.dim(0);
  std::vector<Tensor> results = make_results(graph_, execution, batch, all);
  const auto keep = [&](int tensor, const Slice& slice) {
    Tensor& result = results[static_cast<std::size_t>(tensor)];
    if (result.defined()) store(tensor, slice, result);
  };
  const auto run_slice = [&](Index begin, Index end) {
    const kernels::Scratch<std::byte> memory(static_cast<Index>(plan_.sample_bytes) * (end - begin));
    const bool floats = x.dtype() == DType::float32;
    const Slice slice{end - begin, begin, memory.data(), floats ? x.data<float>() + begin * x.size() / batch : nullptr};
    if (!floats) load(execution, x.rows(begin, end), slice);
    keep(execution.start, slice);
    for (const std::size_t n : execution.steps) {
      steps_[n](slice);
      keep(graph_.nodes[n].output, slice);
    }
  };
  const Index samples = slice_for(batch);
  if (batch == samples)
    run_slice(0, batch);  // no region around it: large layers are cut for the threads
  else
    parallel_for(batch, samples, run_slice);
  return results;
}

}  // namespace bitgrad::inference
