// The main job on a tiny data set.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::metrics_rows;
using support::Outcome;
using support::plus;
using support::Workshop;

namespace {

nlohmann::json report_of(const Workshop& shop, const std::string& run) {
  return nlohmann::json::parse(shop.text(run + "/report.json"));
}

}  // namespace

TEST_CASE("train leaves checkpoints, graph, metrics and a report that agree") {
  const Workshop shop;
  const Outcome outcome = shop.train("run", plus(support::w4a4, {"--seed", "7"}));
  CHECK(outcome.err == "");
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("float epoch 2/2") && Contains("quantized epoch 3/3") && Contains("test accuracy"));
  CHECK(metrics_rows(shop, "run") ==
        std::vector<std::string>{"stage,epoch", "float,1", "float,2", "quantized,1", "quantized,2", "quantized,3"});

  const auto report = report_of(shop, "run");
  for (const char* key : {"float_accuracy", "quantized_accuracy", "converted_accuracy", "differing_codes",
                          "weight_bits", "activation_bits", "float_bytes", "quantized_bytes", "images_per_second",
                          "seed", "model", "data", "parameters", "seconds", "versions"})
    CHECK(report.contains(key));
  CHECK(report["seed"] == 7);
  CHECK(report["weight_bits"] == 4);
  CHECK(report["activation_bits"] == 4);
  CHECK(report["differing_codes"] == 0);
  CHECK(report["codes_compared"] > 0);
  CHECK(report["quantized_bytes"] < report["float_bytes"]);

  const data::Dataset test = support::tiny_dataset(40, 8, 2);
  const Model float_model = restore_model(read_checkpoint(shop / "run/float.safetensors"));
  const Model quantized = restore_model(read_checkpoint(shop / "run/quantized.safetensors"));
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  CHECK(report["float_accuracy"] == Approx(100 * accuracy(float_model, test)));
  CHECK(report["quantized_accuracy"] == Approx(100 * accuracy(quantized, test)));
  CHECK(report["converted_accuracy"] == Approx(100 * accuracy(graph, test)));
  CHECK(report["converted_accuracy"] > 80);
  const Tensor images = data::to_unit_range(test.images);
  CHECK(identical(graph.run(images), evaluate(quantized, images)));
}

TEST_CASE("checkpoints and graph are the same bytes for 1, 2 and 3 threads") {
  const Workshop shop(70);
  for (const char* threads : {"1", "2", "3"})
    REQUIRE(shop.train(threads, plus(support::w4a4, {"--threads", threads})).code == 0);
  for (const char* file : {"float.safetensors", "quantized.safetensors", "graph/graph.json", "graph/graph.npz"}) {
    INFO(file);
    CHECK(shop.bytes(std::string("1/") + file) == shop.bytes(std::string("2/") + file));
    CHECK(shop.bytes(std::string("1/") + file) == shop.bytes(std::string("3/") + file));
  }
}

TEST_CASE("a float run converts as well, and another starts from it") {
  const Workshop shop;
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "2"}).code == 0);
  const auto report = report_of(shop, "float");
  CHECK(report["weight_bits"] == 32);
  CHECK(report["codes_compared"] == 0);
  CHECK(report["quantized_accuracy"] == report["float_accuracy"]);
  CHECK_FALSE(shop.exists("float/quantized.safetensors"));

  const std::string checkpoint = shop.path("float/float.safetensors");
  REQUIRE(shop.train("calibrated", {"--from", checkpoint, "--weights", "lsq:8"}).code == 0);
  const auto calibrated = report_of(shop, "calibrated");
  CHECK(calibrated["model"] == "mlp");
  CHECK(calibrated["float_accuracy"] == report["float_accuracy"]);
  CHECK(calibrated["activation_bits"] == 8);
  CHECK(calibrated["seconds"] == 0);
  CHECK(metrics_rows(shop, "calibrated") == std::vector<std::string>{"stage,epoch"});
  const auto state = [&](const std::string& run) { return read_checkpoint(shop / (run + "/float.safetensors")).state; };
  CHECK(identical(state("calibrated"), state("float")));

  REQUIRE(shop.train("longer", {"--from", checkpoint, "--epochs", "1", "--weights", "none", "--activations", "none"})
              .code == 0);
  CHECK_FALSE(identical(state("longer"), state("float")));

  const Outcome other = shop.train("other", {"--from", checkpoint, "--model", "fashion_cnn"});
  CHECK(other.code == 1);
  CHECK_THAT(other.err, Contains("float.safetensors: checkpoint of model \"mlp\", expected \"fashion_cnn\""));
  const Outcome quantized = shop.train("other", {"--from", shop.path("calibrated/quantized.safetensors")});
  CHECK(quantized.code == 1);
  CHECK_THAT(quantized.err, Contains("checkpoint of a quantized model"));
}

TEST_CASE("train --from takes the directory of a run: the float model that it came to") {
  const Workshop shop;
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "40", "--lr", "0.05", "--schedule", "constant", "--best",
                               "--patience", "2", "--hold-out", "0.2"})
              .code == 0);
  REQUIRE(shop.bytes("float/float.safetensors") != shop.bytes("float/float-best.safetensors"));
  const std::vector<std::string> options{"--hold-out", "0.2", "--weights", "lsq:8"};
  REQUIRE(shop.train("run", plus({"--from", shop.path("float")}, options)).code == 0);
  REQUIRE(shop.train("best", plus({"--from", shop.path("float/float-best.safetensors")}, options)).code == 0);
  CHECK(shop.bytes("run/graph/graph.npz") == shop.bytes("best/graph/graph.npz"));
  CHECK(nlohmann::json::parse(shop.text("run/run.json"))["from"] == shop.path("float/float-best.safetensors"));
  CHECK_THAT(shop.train("none", {"--from", shop.path("data")}).err, Contains("data: holds no run of bitgrad train"));
  std::filesystem::remove(shop / "float/report.json");
  CHECK_THAT(shop.train("none", {"--from", shop.path("float")}).err, Contains("float: its run is not finished"));
}

TEST_CASE("a directory that holds a run is neither trained into nor replaced unless that is asked for") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", plus(support::w4a4, {"--epochs", "1", "--qat-epochs", "1"})).code == 0);
  const auto before = shop.bytes("run/quantized.safetensors");
  const Outcome refused = shop.train("run", {"--model", "mlp", "--epochs", "1"});
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("run holds a run: --resume goes on with it, --replace deletes it"));
  CHECK(shop.bytes("run/quantized.safetensors") == before);
  const Outcome both = shop.train("run", {"--model", "mlp", "--epochs", "1", "--resume", "--replace"});
  CHECK(both.code == 2);
  CHECK_THAT(both.err, Contains("--resume goes on with a run and --replace deletes it: give one"));
  CHECK(shop.bytes("run/quantized.safetensors") == before);

  const Outcome again = shop.train("run", {"--model", "mlp", "--epochs", "1", "--replace"});
  CHECK(again.code == 0);
  CHECK(again.err == "");
  CHECK_FALSE(shop.exists("run/quantized.safetensors"));
  CHECK(report_of(shop, "run")["model"] == "mlp");
  CHECK(metrics_rows(shop, "run") == std::vector<std::string>{"stage,epoch", "float,1"});
}

TEST_CASE("a command that cannot work leaves an earlier run alone") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const auto before = shop.bytes("run/float.safetensors");
  const Outcome quantizer = shop.train(
      "run", {"--model", "mlp", "--epochs", "2", "--weights", "mct-lsq:1", "--first-last-bits", "0", "--replace"});
  CHECK(quantizer.code == 1);
  CHECK_THAT(quantizer.err, Contains("LSQWeightQATQuantizer: 1 bit signed"));
  CHECK(shop.train("run", {"--model", "lenet5", "--replace"}).code == 1);
  CHECK(shop.bytes("run/float.safetensors") == before);
  CHECK(report_of(shop, "run")["epochs"] == 1);
}

TEST_CASE("a model that trains but cannot be evaluated is a divergence as well") {
  const Workshop shop(32);  // one step: its loss is that of the weights before it
  const Outcome outcome = shop.train("run", {"--model", "mlp", "--epochs", "1", "--lr", "1e30"});
  CHECK(outcome.code == 1);
  CHECK_THAT(
      outcome.err,
      Contains(
          "bitgrad: error: epoch 1: what was trained cannot be evaluated: predictions: a logit of sample 0 is NaN; "
          "the last good checkpoint is ") &&
          Contains("run/float.safetensors, of epoch 0"));
  CHECK(read_checkpoint(shop / "run/float.safetensors").epoch == 0);
  CHECK(metrics_rows(shop, "run") == std::vector<std::string>{"stage,epoch"});
}

TEST_CASE("training that diverges stops and keeps the last good checkpoint") {
  const Workshop shop;
  const std::vector<std::string> options{"--model", "mlp", "--epochs", "3"};
  REQUIRE(shop.train("good", options).code == 0);
  const Outcome outcome =
      shop.train("bad", plus({"--from", shop.path("good/float.safetensors"), "--lr", "1e36"}, {"--epochs", "2"}));
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err,
             Contains("bitgrad: error: epoch 1, step ") && (Contains("nan") || Contains("inf")) && Contains("dense") &&
                 Contains("; the last good checkpoint is " + shop.path("bad/float.safetensors") + ", of epoch 0"));
  const Checkpoint kept = read_checkpoint(shop / "bad/float.safetensors");
  CHECK(kept.epoch == 0);
  CHECK(identical(kept.state, read_checkpoint(shop / "good/float.safetensors").state));
  CHECK_FALSE(shop.exists("bad/report.json"));
}

TEST_CASE("mixed precision from a file, end to end") {
  const Workshop shop(64);
  io::write_file_atomically(shop / "bits.json", std::string_view(R"({"format": "bitgrad.bits", "version": 1, "rules": [
    {"type": "Dense", "weights": 5}, {"layer": "conv2", "weights": "lsq-pot:2:minmax", "activations": 3}, {"layer": "input", "activations": 7}]})"));
  const std::vector<std::string> options{"--model",
                                         "fashion_cnn",
                                         "--epochs",
                                         "1",
                                         "--qat-epochs",
                                         "1",
                                         "--weights",
                                         "lsq:4",
                                         "--activations",
                                         "lsq:4",
                                         "--bits",
                                         shop.path("bits.json"),
                                         "--calibration-method",
                                         "percentile=99"};
  const Outcome outcome = shop.train("run", options);
  CHECK(outcome.err == "");
  REQUIRE(outcome.code == 0);
  const auto report = report_of(shop, "run");
  CHECK(report["differing_codes"] == 0);
  CHECK(report["codes_compared"] > 0);
  CHECK(report["mixed"] == true);
  std::map<std::string, int> bits;
  for (const auto& layer : report["layers"]) bits[layer["tensor"]] = layer["bits"];
  CHECK(bits == std::map<std::string, int>{{"conv1/kernel", 8},
                                           {"conv2/kernel", 2},
                                           {"conv3/kernel", 4},
                                           {"dense1/kernel", 5},
                                           {"dense2/kernel", 5},
                                           {"input/out", 7},
                                           {"relu1/out", 4},
                                           {"relu2/out", 3},
                                           {"relu3/out", 4},
                                           {"relu4/out", 8}});
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  CHECK_THAT(graph.metadata.at("bits"), Contains("lsq-pot:2:minmax"));
  for (const GraphNode& node : graph.nodes)
    if (const auto* conv = std::get_if<IntegerConv2D>(&node.operation); conv && node.name == "conv2")
      CHECK(conv->weights.grid.bits == 2);
  const Outcome table = support::run_cli({"table", shop.path("run")});
  CHECK_THAT(table.out, Contains("2..8 / 3..8 mixed"));

  // Another file is another run.
  io::write_file_atomically(
      shop / "bits.json",
      std::string_view(R"({"format": "bitgrad.bits", "version": 1, "rules": [{"layer": "conv2", "weights": 3}]})"));
  const Outcome other = shop.train("run", plus(options, {"--resume"}));
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("the run in " + shop.path("run") + " has other options: --bits is {"));
  const Outcome percentile = shop.train("run", plus(options, {"--resume", "--calibration-method", "percentile=98"}));
  CHECK(percentile.code == 2);
  CHECK_THAT(percentile.err, Contains("--calibration-method is \"percentile=99\" there and \"percentile=98\" here"));
}

TEST_CASE("what a file of mixed precision asks for is checked before anything is trained") {
  const Workshop shop(16, 4);
  const auto refused = [&](const std::string& rule) {
    io::write_file_atomically(shop / "bits.json",
                              R"({"format": "bitgrad.bits", "version": 1, "rules": [)" + rule + "]}");
    const Outcome outcome =
        shop.train("run", {"--model", "fashion_cnn", "--epochs", "1", "--bits", shop.path("bits.json")});
    CHECK(outcome.code == 1);
    CHECK(outcome.out == "");
    CHECK_FALSE(shop.exists("run"));
    return outcome.err;
  };
  CHECK_THAT(refused(R"({"layer": "conv9", "weights": 4})"),
             Contains("bits.json: rules[0] (layer \"conv9\") matches no layer") && Contains("did you mean \"conv"));
  CHECK_THAT(refused(R"({"layer": "conv1", "weights": 40})"), Contains("bits.json: rules[0]: \"weights\" is 40"));
  CHECK_THAT(refused(R"({"layer": "conv1", "weights": "mct-lsq:1"})"), Contains("bit"));
  CHECK(shop.train("run", {"--model", "mlp", "--bits", shop.path("nowhere.json")}).code == 1);
  CHECK(shop.train("run", {"--model", "mlp", "--weights", "lsq:4", "--calibration-method", "klm"}).code == 2);
  CHECK(shop.train("run", {"--model", "mlp", "--calibration-method", "kl"}).code == 2);
}

TEST_CASE("a directory that cannot be written") {
  const Workshop shop(16, 4);
  io::write_file_atomically(shop / "file", std::string_view("not a directory"));
  for (const char* out : {"file", "file/run"}) {
    const Outcome outcome = shop.train(out, {"--model", "mlp", "--epochs", "1"});
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Contains("cannot create the directory") && Contains("file"));
  }
}

TEST_CASE("recipes change the run, resume and are checked") {
  const Workshop shop(64);
  const std::vector<std::string> plain = plus(support::w4a4, {"--epochs", "1"});
  const std::vector<std::string> recipe =
      plus(plain, {"--freeze-batch-norm", "1", "--activation-delay", "1", "--distill", "0.5", "--temperature", "2"});
  REQUIRE(shop.train("plain", plain).code == 0);
  REQUIRE(shop.train("recipe", recipe).code == 0);
  CHECK(shop.bytes("plain/float.safetensors") == shop.bytes("recipe/float.safetensors"));
  CHECK(shop.bytes("plain/graph/graph.npz") != shop.bytes("recipe/graph/graph.npz"));
  const auto graph = shop.bytes("recipe/graph/graph.npz");
  CHECK(shop.train("recipe", plus(recipe, {"--resume"})).code == 0);
  CHECK(shop.bytes("recipe/graph/graph.npz") == graph);
  CHECK_THAT(shop.train("recipe", plus(recipe, {"--resume", "--distill", "0.4"})).err,
             Contains("--distill is 0.5 there and 0.4 here"));
  const auto refused = [&](const std::vector<std::string>& options) {
    const Outcome outcome = shop.train("x", options);
    CHECK(outcome.code == 2);
    return outcome.err;
  };
  CHECK_THAT(refused({"--model", "mlp", "--distill", "0.5"}), Contains("--qat-epochs"));
  CHECK_THAT(refused(plus(plain, {"--temperature", "2"})), Contains("--temperature has no effect without --distill"));
  CHECK_THAT(refused(plus(plain, {"--freeze-batch-norm", "4"})), Contains("expected 0 to the 3 epochs"));
  CHECK_THAT(refused(plus(plain, {"--distill", "2"})), Contains("--distill 2: expected 0 to 1"));
}

TEST_CASE("train: a wider model, and one that takes mean and deviation of its images off its input") {
  const Workshop shop;
  const Outcome outcome = shop.train("run", {"--model", "fashion_cnn:2:normalized", "--epochs", "1", "--qat-epochs",
                                             "1", "--weights", "lsq:4", "--activations", "lsq:4", "--limit", "32"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(report_of(shop, "run")["differing_codes"] == 0);
  CHECK(report_of(shop, "run")["model"] == "fashion_cnn:2:normalized");
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  const auto images = std::ranges::find(graph.tensors, "normalize/out", &GraphTensor::name);
  REQUIRE((images != graph.tensors.end() && images->grid));
  CHECK(images->grid->hi - images->grid->lo == 255);  // 8 bits, as the input of other models
  const Model restored = restore_model(read_checkpoint(shop / "run/quantized.safetensors"));
  const auto [mean, deviation] = data::channel_statistics(support::tiny_dataset(128, 8, 1).images.rows(0, 32));
  CHECK(identical(restored.state_dict().at("normalize/mean"), mean));
  CHECK(identical(restored.state_dict().at("normalize/deviation"), deviation));
  // Weights that know nothing of it.
  REQUIRE(shop.train("plain", {"--model", "mlp", "--epochs", "0"}).code == 0);
  NamedTensors weights = read_checkpoint(shop / "plain/float.safetensors").state;
  io::write_safetensors(shop / "w.safetensors", weights);
  REQUIRE(
      shop.train("init", {"--model", "mlp:normalized", "--init", shop.path("w.safetensors"), "--limit", "32"}).code ==
      0);
  const NamedTensors state = read_checkpoint(shop / "init/float.safetensors").state;
  CHECK(identical(state.at("normalize/mean"), mean));
  CHECK(identical(state.at("dense1/kernel"), weights.at("dense1/kernel")));
  CHECK(shop.train("x", {"--model", "lenet5:wide"}).code == 2);
}

TEST_CASE("train --qparams-rate 0 keeps the calibrated grids, and other rates move them") {
  const Workshop shop(64);
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const auto scales = [&](const std::string& run, const std::vector<std::string>& more) {
    REQUIRE(shop.train(run, plus({"--from", shop.path("float/float.safetensors"), "--weights", "lsq:4", "--activations",
                                  "lsq:4"},
                                 more))
                .code == 0);
    std::vector<float> result;
    const InferenceGraph graph = InferenceGraph::load(shop.path(run + "/graph"));
    for (const GraphTensor& tensor : graph.tensors)
      if (tensor.grid) result.insert(result.end(), tensor.grid->scale.begin(), tensor.grid->scale.end());
    for (const GraphNode& node : graph.nodes)
      if (const auto* dense = std::get_if<IntegerDense>(&node.operation))
        result.insert(result.end(), dense->weights.grid.scale.begin(), dense->weights.grid.scale.end());
    return result;
  };
  const std::vector<float> calibrated = scales("calibrated", {});
  CHECK(calibrated.size() > 3 + 3);
  CHECK(scales("kept", {"--qat-epochs", "2", "--qparams-rate", "0"}) == calibrated);
  const std::vector<float> slow = scales("slow", {"--qat-epochs", "2", "--qparams-rate", "0.1"});
  const std::vector<float> usual = scales("usual", {"--qat-epochs", "2"});
  CHECK(slow != calibrated);
  CHECK(usual != calibrated);
  CHECK(usual != slow);
  CHECK(scales("one", {"--qat-epochs", "2", "--qparams-rate", "1"}) == usual);
}
