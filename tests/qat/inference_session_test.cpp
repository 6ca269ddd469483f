// Sessions: what both engines have in common, whatever the mode, the instruction set, the batch and the threads.
#include <catch2/catch.hpp>

#include <map>
#include <thread>

#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

#include <qat/executors.hpp>
#include <support/sanitizers.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

TEST_CASE("both engines and the naive executor agree in every requantization mode and on every instruction set") {
  const kernels::Isa isa = kernels::active_isa();
  std::map<RequantizationMode, int> compared;
  for (unsigned seed = 500; seed < 540; ++seed) {
    InferenceGraph graph = RandomNetwork(seed, 8).build();
    for (const RequantizationMode mode : requantization_modes()) {
      try {
        set_requantization(graph, mode);
      } catch (const NotImplementedError&) {
        continue;  // no arithmetic for these scales
      }
      ++compared[mode];
      for (const kernels::Isa each : kernels::all_isas) {
        if (!kernels::isa_available(each)) continue;
        INFO("seed " << seed << ", " << name_of(mode) << ", " << kernels::name_of(each));
        kernels::set_isa(each);
        by_all_executors(graph, image_batch(graph, 3, seed));
      }
    }
  }
  kernels::set_isa(isa);
  for (const RequantizationMode mode : requantization_modes()) CHECK(compared[mode] > 20);
}

TEST_CASE("float layers between codes and codes of more than int16 travel between those of int16") {
  Dice dice(21);
  for (const int bits : {7, 16}) {
    InferenceGraphBuilder builder({6, 6, 4});
    builder.set_layer_name("in");
    const GraphValue in = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 255)));
    builder.set_layer_name("wide");  // 16 bits, unsigned: no int16 holds them
    const GraphValue wide = builder.quantize(in, activations(unsigned_grid(bits, 1.0F / 60000)));
    builder.set_layer_name("conv");
    const WeightQuantizers quantizers = kernel_on(signed_grid(8, 1.0F / 64));
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    const GraphValue conv = builder.quantize(
        builder.conv2d(wide, {.padding = Padding::same()}, {"kernel", dice.tensor({3, 3, 4, 4}, -1, 1)}, {"bias", {}}),
        activations(signed_grid(8, 1.0F / 32)));
    builder.set_layer_name("island");
    const GraphValue island =
        builder.quantize(builder.layer_norm(conv, dice.tensor({4}, 0.5F, 2), dice.tensor({4}, -1, 1), 1e-3F),
                         activations(signed_grid(8, 0.05F)));
    builder.set_layer_name("sum");
    const InferenceGraph graph =
        builder.finish(builder.quantize(builder.add(island, conv), activations(signed_grid(8, 0.1F))));
    const Tensor x = dice.tensor({11, 6, 6, 4}, 0, 1);
    const std::vector<Tensor> integers = InferenceSession(graph).run_all(x);
    check_same(graph, InferenceSession(graph, InferenceEngine::float32).run_all(x), integers);
    check_same(graph, run_naive(graph, x), integers);
  }
}

TEST_CASE("a session computes what its graph did when it was made, in memory that it uses again") {
  InferenceGraph graph = RandomNetwork(7, 8).build();
  const Tensor x = image_batch(graph, 40, 7), expected = graph.run(x);
  const InferenceSession session(graph);
  const InferenceSession copy = session;
  graph.nodes.clear();
  graph.tensors.clear();
  CHECK(session.graph().nodes.size() > 1);
  CHECK(identical(session.run(x), expected));
  CHECK(identical(copy.run(x), expected));
  const int threads = num_threads();
  set_num_threads(1);  // with more of them slices meet in another order every time
  session.run(x);
  const MemoryStatistics before = memory_statistics();
  session.run(x);
  session.run(x);
  const MemoryStatistics after = memory_statistics();
  CHECK(after.requests > before.requests);
  if (!support::address_sanitizer) CHECK(after.fresh == before.fresh);
  CHECK(after.live == before.live);
  set_num_threads(threads);
}

TEST_CASE("a sample's bytes do not depend on its batch, the threads or who else runs") {
  const int threads = num_threads();
  for (unsigned seed = 300; seed < 310; ++seed)
    for (const InferenceEngine engine : {InferenceEngine::integer, InferenceEngine::float32}) {
      const InferenceGraph graph = RandomNetwork(seed, 8).build();
      const InferenceSession session(graph, engine);
      const Tensor x = image_batch(graph, 37, seed);
      set_num_threads(1);
      const Tensor y = session.run(x);
      for (const Index i : {0, 5, 36}) CHECK(identical(session.run(x.rows(i, i + 1)), y.rows(i, i + 1)));
      CHECK(identical(session.run(x.rows(3, 31)), y.rows(3, 31)));
      set_num_threads(3);
      CHECK(identical(session.run(x), y));
      CHECK(identical(session.run(x.rows(5, 6)), y.rows(5, 6)));
      std::vector<Tensor> results(4);
      std::vector<std::thread> runners;
      for (Tensor& result : results) runners.emplace_back([&] { result = session.run(x); });
      for (std::thread& runner : runners) runner.join();
      for (const Tensor& result : results) CHECK(identical(result, y));
      CHECK(session.run(x.rows(0, 0)).dim(0) == 0);
    }
  set_num_threads(threads);
}
