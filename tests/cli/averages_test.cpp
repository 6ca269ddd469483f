// --ema and --schedule plateau: what ships, and that it resumes.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::Outcome;
using support::plus;
using support::Workshop;

TEST_CASE("with --ema the averages are evaluated, converted and go on, and the run resumes") {
  const Workshop shop(96);
  const std::vector<std::string> plain = support::w4a4, averaged = plus(plain, {"--ema", "0.9"});
  REQUIRE(shop.train("plain", plain).code == 0);
  REQUIRE(shop.train("ema", averaged).code == 0);
  // The graph is the checkpoint's state as it stands: the average.
  const Checkpoint checkpoint = read_checkpoint(shop / "ema/quantized.safetensors");
  CHECK(checkpoint.progress.contains("average_steps"));
  InferenceGraph graph = convert2inferable(restore_model(checkpoint));
  const InferenceGraph shipped = InferenceGraph::load(shop.path("ema/graph"));
  graph.metadata = shipped.metadata;
  graph.save(shop.path("again"));
  CHECK(shop.bytes("again/graph.npz") == shop.bytes("ema/graph/graph.npz"));
  CHECK(shop.bytes("plain/graph/graph.npz") != shop.bytes("ema/graph/graph.npz"));
  // Float training was the same, and what was averaged is what quantization began with.
  const Checkpoint float_plain = read_checkpoint(shop / "plain/float.safetensors");
  const Checkpoint float_ema = read_checkpoint(shop / "ema/float.safetensors");
  CHECK_FALSE(identical(float_plain.state, float_ema.state));
  CHECK(identical(float_plain.state.at("conv1/kernel"), float_ema.progress.at("live/conv1/kernel")));
  REQUIRE(shop.train("from", {"--from", shop.path("ema/float.safetensors"), "--qat-epochs", "3", "--weights", "lsq:4",
                              "--activations", "lsq:4", "--ema", "0.9"})
              .code == 0);
  CHECK(shop.bytes("from/graph/graph.npz") == shop.bytes("ema/graph/graph.npz"));

  const auto report = nlohmann::json::parse(shop.text("ema/report.json"));
  CHECK(report["ema"] == 0.9);
  CHECK(report["differing_codes"] == 0);
  CHECK_THAT(shop.text("ema/report.html"), Contains("a moving average of the weights, decay 0.9"));
  CHECK(nlohmann::json::parse(shop.text("ema/run.json"))["ema"] == 0.9);
  CHECK_FALSE(nlohmann::json::parse(shop.text("plain/report.json")).contains("ema"));

  const auto bytes = shop.bytes("ema/graph/graph.npz");
  REQUIRE(shop.train("ema", plus(averaged, {"--resume"})).code == 0);
  CHECK(shop.bytes("ema/graph/graph.npz") == bytes);
  CHECK_THAT(shop.train("ema", plus(averaged, {"--resume", "--ema", "0.8"})).err,
             Contains("--ema is 0.9 there and 0.8 here"));
  const Outcome wrong = shop.train("x", {"--model", "mlp", "--ema", "1"});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, Contains("--ema 1: expected at least 0 (none) and less than 1"));
}

TEST_CASE("with --ema and --best the best epoch's average is the result") {
  const Workshop shop(96);
  REQUIRE(
      shop.train("run", {"--model", "fashion_cnn", "--epochs", "4", "--ema", "0.9", "--best", "--schedule", "plateau"})
          .code == 0);
  const Checkpoint best = read_checkpoint(shop / "run/float-best.safetensors");
  CHECK(read_checkpoint(shop / "run/float.safetensors").progress.contains("plateau/best"));
  const InferenceGraph shipped = InferenceGraph::load(shop.path("run/graph"));
  InferenceGraph graph = convert2inferable(restore_model(best));
  graph.metadata = shipped.metadata;
  graph.save(shop.path("again"));
  CHECK(shop.bytes("again/graph.npz") == shop.bytes("run/graph/graph.npz"));
}
