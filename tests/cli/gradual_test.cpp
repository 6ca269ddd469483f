// train --gradual: phases of fewer and fewer bits.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/plan.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using nlohmann::json;
using support::Outcome;
using support::plus;
using support::Workshop;

namespace {

const std::vector<std::string> w2a4{"--model", "fashion_cnn",   "--epochs", "1",         "--weights",
                                    "lsq:2",   "--activations", "lsq:4",    "--gradual", "8:1,4:2,2:1"};

}  // namespace

TEST_CASE("a gradual run ends at the final bits, verified, and says what it did") {
  const Workshop shop(96);
  const Outcome outcome = shop.train("run", w2a4);
  CHECK(outcome.err == "");
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("quantized, 8 bits, epoch 1/4") && Contains("quantized, 4 bits, epoch 3/4") &&
                              Contains("quantized, 2 bits, epoch 4/4"));
  const json report = json::parse(shop.text("run/report.json"));
  CHECK(report["gradual"] == "8:1,4:2,2:1");
  CHECK(report["qat_epochs"] == 4);
  CHECK(report["weight_bits"] == 2);
  CHECK(report["differing_codes"] == 0);
  CHECK(report["codes_compared"] > 0);
  CHECK_THAT(shop.text("run/report.html"), Contains("bits:epochs 8:1,4:2,2:1"));
  const Checkpoint last = read_checkpoint(shop / "run/quantized.safetensors");
  CHECK(last.epoch == 1);
  CHECK(last.progress.at("phase").item() == 2);
  const QuantizationPlan plan = QuantizationPlan::from_json(last.plan);
  CHECK(plan.weights[1].config.n_bits == 2);
  CHECK(plan.weights[0].config.n_bits == 8);
  CHECK(plan.activations[1].config.n_bits == 4);
  const auto rows = cli::MetricsFile(shop / "run/metrics.csv").rows();
  REQUIRE(rows.size() == 5);
  for (std::size_t i = 1; i < 5; ++i) {
    CHECK(rows[i].stage == "quantized");
    CHECK(rows[i].epoch == static_cast<std::int64_t>(i));
  }
  // The first phase of four bits or more is one of eight bits, to the byte.
  REQUIRE(shop.train("w8a8", {"--model", "fashion_cnn", "--epochs", "1", "--weights", "lsq:8", "--activations", "lsq:8",
                              "--qat-epochs", "1", "--freeze-batch-norm", "1"})
              .code == 0);
  CHECK(cli::MetricsFile(shop / "w8a8/metrics.csv").rows()[1].train_loss == rows[1].train_loss);
  // Weights go on: the run differs from one with two bits from the start.
  REQUIRE(shop.train("direct", {"--model", "fashion_cnn", "--epochs", "1", "--weights", "lsq:2", "--activations",
                                "lsq:4", "--qat-epochs", "1"})
              .code == 0);
  CHECK(shop.bytes("direct/graph/graph.npz") != shop.bytes("run/graph/graph.npz"));
}

TEST_CASE("a gradual run is reproduced by its configuration and resumes with it alone") {
  const Workshop shop(96);
  REQUIRE(shop.train("run", plus(w2a4, {"--best"})).code == 0);
  const auto graph = shop.bytes("run/graph/graph.npz");
  const json saved = json::parse(shop.text("run/run.json"));
  CHECK(saved["gradual"] == "8:1,4:2,2:1");
  CHECK(saved["qat-epochs"] == 4);
  REQUIRE(support::run_cli({"train", "--config", shop.path("run/run.json"), "--out", shop.path("again")}).code == 0);
  CHECK(shop.bytes("again/graph/graph.npz") == graph);
  const Outcome resumed = support::run_cli({"train", "--config", shop.path("run/run.json"), "--resume"});
  CHECK(resumed.code == 0);
  CHECK_THAT(resumed.out, !Contains("epoch"));
  CHECK(shop.bytes("run/graph/graph.npz") == graph);
  CHECK_THAT(shop.train("run", plus(w2a4, {"--best", "--resume", "--gradual", "8:2,2:2"})).err,
             Contains("--gradual is \"8:1,4:2,2:1\" there and \"8:2,2:2\" here"));
}

TEST_CASE("phases that do not go with the other options are usage errors") {
  const Workshop shop(16, 4);
  const auto refused = [&](const std::vector<std::string>& options) {
    const Outcome outcome = shop.train("x", plus({"--model", "mlp", "--epochs", "0"}, options));
    CHECK(outcome.code == 2);
    CHECK_FALSE(shop.exists("x"));
    return outcome.err;
  };
  CHECK_THAT(refused({"--gradual", "8,2"}), Contains("--gradual 8,2: 0 epochs with quantizers for 2 phases"));
  CHECK_THAT(refused({"--gradual", "8:1,4:1", "--qat-epochs", "3"}),
             Contains("--gradual 8:1,4:1: phases have 2 epochs together, expected 3"));
  CHECK_THAT(refused({"--gradual", "8:1,4:1", "--weights", "lsq:2"}),
             Contains("--gradual 8:1,4:1 ends at 4 bits") && Contains("which are 2"));
  CHECK_THAT(refused({"--gradual", "4:1,8:1"}), Contains("expected falling bits"));
  CHECK_THAT(refused({"--gradual", "8:1,4:2", "--freeze-batch-norm", "3"}),
             Contains("expected 0 to the 2 epochs of the last phase of --gradual"));
  // Unless given, quantizers have the last bits.
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "0", "--gradual", "8,4", "--qat-epochs", "2"}).code == 0);
  CHECK(json::parse(shop.text("run/run.json"))["weights"] == "lsq:4");
}
