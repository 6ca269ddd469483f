// Runs a graph by every executor there is.
#pragma once

#include <catch2/catch.hpp>

#include <vector>

#include <bitgrad/qat/inference/session.hpp>
#include <bitgrad/qat/inference/verify.hpp>

#include <qat/inference_support.hpp>

namespace bitgrad::test {

/// Fails with the place of the first difference between tensors that both executions have.
inline void check_same(const InferenceGraph& graph, const std::vector<Tensor>& expected,
                       const std::vector<Tensor>& found) {
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    if (!found[t].defined()) continue;
    INFO("tensor \"" << graph.tensors[t].name << "\" of\n" << graph.describe() << expected[t] << '\n' << found[t]);
    REQUIRE(identical(expected[t], found[t]));
  }
}

inline Tensor image_batch(const InferenceGraph& graph, Index batch, unsigned seed) {
  return Dice(seed).tensor(graph.tensors[static_cast<std::size_t>(graph.input)].shape.prepended(batch), -0.2F, 1.2F);
}

/// All tensors by the naive executor, with which both engines have to agree, from floats and from codes.
inline std::vector<Tensor> by_all_executors(const InferenceGraph& graph, const Tensor& x) {
  std::vector<Tensor> naive = run_naive(graph, x);
  for (const InferenceEngine engine : {InferenceEngine::integer, InferenceEngine::float32}) {
    INFO(name_of(engine) << " engine");
    const InferenceSession session(graph, engine);
    check_same(graph, naive, session.run_all(x));
    check_same(graph, naive, session.run_integer_all(naive[static_cast<std::size_t>(graph.integer_input())]));
  }
  return naive;
}

}  // namespace bitgrad::test
