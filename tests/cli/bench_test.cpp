// bitgrad bench: what it prints and writes, on tiny runs.
#include <catch2/catch.hpp>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <bitgrad/cli/bench/quantiles.hpp>
#include <bitgrad/cli/bench/train_measurement.hpp>
#include <bitgrad/cli/bench/work.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using support::Outcome;
using support::run_cli;

namespace {

/// Threads and instruction set as they were before.
struct Restored {
  Restored() : threads(num_threads()), isa(kernels::active_isa()) {}
  ~Restored() {
    set_num_threads(threads);
    kernels::set_isa(isa);
  }
  int threads;
  kernels::Isa isa;
};

/// Runs `bench ARGUMENTS` and reads the file it writes.
struct Benchmark {
  explicit Benchmark(std::vector<std::string> arguments) {
    const support::TemporaryDirectory directory;
    const std::string file = (directory / "result.json").string();
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--seconds", "0.05", "--json", file});
    outcome = run_cli(arguments);
    CHECK(outcome.code == 0);
    CHECK(outcome.err == "");
    REQUIRE(std::filesystem::exists(file));
    json = nlohmann::json::parse(bitgrad::io::read_text_file(file));
  }
  Outcome outcome;
  nlohmann::json json;
};

void check_keys(const nlohmann::json& json, const std::vector<const char*>& keys) {
  for (const char* key : keys) {
    INFO(key);
    CHECK(json.contains(key));
  }
}

void check_error(const std::vector<std::string>& arguments, const std::string& text) {
  std::vector<std::string> all{"bench"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run_cli(all);
  INFO(text);
  CHECK(outcome.code == 2);
  CHECK(outcome.out == "");
  CHECK_THAT(outcome.err, StartsWith("bitgrad: error: ") && Contains(text));
}

}  // namespace

TEST_CASE("bench train measures steps, memory and the split, for every mode") {
  const Restored restored;
  for (const char* mode : {"float", "ste", "lsq"}) {
    INFO(mode);
    const Benchmark run({"train", "--model", "mlp", "--mode", mode, "--batch", "8", "--threads", "2", "--isa", "base"});
    const nlohmann::json& json = run.json;
    check_keys(json, {"benchmark", "version", "model", "mode", "bits", "batch", "width", "optimizer",
                      "images_per_second", "step_ms", "step_ms_quantiles", "steps", "peak_memory_mib",
                      "baseline_memory_mib", "tensor_memory_mib", "machine", "split"});
    check_keys(json["machine"],
               {"processor", "threads", "isa", "blas_core", "load_average", "fma_gflops", "copy_gb_per_s"});
    CHECK(json["mode"] == mode);
    CHECK(json["bits"] == (std::string(mode) == "float" ? 32 : 8));
    CHECK(json["machine"]["isa"] == "base");
    CHECK(json["machine"]["threads"] == 2);
    CHECK(json["steps"] >= 5);
    CHECK(json["images_per_second"].get<double>() == Approx(8000 / json["step_ms"].get<double>()));
    CHECK(json["peak_memory_mib"] >= json["baseline_memory_mib"]);
    CHECK(json["tensor_memory_mib"] > 0);
    CHECK(json["tensor_memory_mib"] < json["peak_memory_mib"]);
    CHECK(json["machine"]["fma_gflops"] > 1);
    CHECK(json["machine"]["copy_gb_per_s"] > 0.1);
    CHECK_THAT(run.outcome.out,
               StartsWith("mlp (28, 28, 1), ") && Contains("images/s") && Contains("matmul") && Contains("of peak"));
  }
}

TEST_CASE("bench train augments images when asked to") {
  const Restored restored;
  const auto batch_ms = [](const char* augmentation) {
    const Benchmark run({"train", "--model", "mlp", "--batch", "64", "--threads", "1", "--augment", augmentation});
    CHECK(run.json["augmentation"] == augmentation);
    CHECK((run.outcome.out.find(", augmented by ") != std::string::npos) == (std::string(augmentation) != "none"));
    return run.json["split"]["batch_ms"].get<double>();
  };
  CHECK(batch_ms("rotate:30,rotate:30,rotate:30") > 2 * batch_ms("none"));
}

TEST_CASE("bench train takes every reference model") {
  const Restored restored;
  for (const std::string& model : models::names()) {
    INFO(model);
    const Benchmark run({"train", "--model", model, "--batch", "1"});
    CHECK(run.json["model"] == model);
    CHECK(run.json["images_per_second"] > 0);
  }
}

TEST_CASE("the split's parts add up to the step, and the counted work is that of the layers") {
  const Restored restored;
  const Benchmark run({"train", "--model", "mlp", "--mode", "float", "--batch", "8", "--layers"});
  const nlohmann::json& split = run.json["split"];
  for (const char* list : {"by_name", "operations"}) {
    double sum = split["batch_ms"].get<double>() + split["optimizer_ms"].get<double>();
    double flops = 0;
    for (const nlohmann::json& each : split[list]) {
      sum += each["forward_ms"].get<double>() + each["backward_ms"].get<double>();
      flops += each["flops"].get<double>();
    }
    CHECK(sum == Approx(split["step_ms"].get<double>()).epsilon(1e-6));
    // Forward, both gradients; the first layer's input wants none.
    CHECK(flops == 2.0 * 8 * (2 * 784 * 128 + 3 * 128 * 64 + 3 * 64 * 10));
  }
  CHECK_THAT(run.outcome.out, Contains("dense2") && Contains("(next batch)") && Contains("(optimizer, checks)"));
}

TEST_CASE("work is counted from shapes") {
  const OperationTime conv{.path = "a/conv2d",
                           .calls = 1,
                           .output = {2, 4, 4, 8},
                           .inputs = {{2, 8, 8, 3}, {3, 3, 3, 8}},
                           .gradient_wanted = {false, true}};
  CHECK(cli::forward_work(conv).flops == 2.0 * (2 * 4 * 4) * (3 * 3 * 3 * 8));
  CHECK(cli::backward_work(conv).flops == cli::forward_work(conv).flops);
  CHECK(cli::forward_work(conv).bytes == 4.0 * (256 + 384 + 216));
  CHECK(cli::backward_work(conv).bytes == 4.0 * (256 + 384 + 2 * 216));
  const OperationTime relu{.path = "relu", .calls = 1, .output = {10}, .inputs = {{10}}, .gradient_wanted = {true}};
  CHECK(cli::forward_work(relu).flops == 0);
  CHECK(cli::backward_work(relu).bytes == 4.0 * 30);
}

TEST_CASE("quantiles") {
  const cli::Quantiles q = cli::quantiles({5, 1, 4, 2, 3});
  CHECK(q.least == 1);
  CHECK(q.p25 == 2);
  CHECK(q.median == 3);
  CHECK(q.p90 == Approx(4.6));
  CHECK(q.p95 == Approx(4.8));
  CHECK(q.most == 5);
  CHECK(cli::quantiles({7}).p75 == 7);
  CHECK_THROWS_AS(cli::quantiles({}), StateError);
}

TEST_CASE("measuring does not depend on what is measured: a timed training has the bytes of one that is not") {
  // The trainer's own determinism is tested elsewhere; here that a timer around it changes nothing.
  const auto weights = [](bool timed) {
    cli::Workload workload{.model = "mlp", .mode = "lsq", .batch = 4};
    Model model = workload.make();
    const data::Dataset data = cli::synthetic_dataset(workload.input_shape(), cli::workload_classes, 16);
    std::optional<OperationTimer> timer;
    if (timed) timer.emplace();
    fit(model, data, {.epochs = 1, .batch = 4});
    if (timed) CHECK(timer->seconds() > 0);
    return model.state_dict();
  };
  CHECK(identical(weights(false), weights(true)));
}

TEST_CASE("bench infer runs either engine") {
  const Restored restored;
  for (const char* engine : {"float", "integer"}) {
    const Benchmark run({"infer", "--model", "mlp", "--mode", "lsq", "--engine", engine, "--batch", "4"});
    check_keys(run.json, {"images_per_second", "batch_ms", "batch_ms_quantiles", "batches", "peak_memory_mib",
                          "machine", "engine"});
    CHECK(run.json["engine"] == engine);
    CHECK_THAT(run.outcome.out, Contains(std::string(engine) + " engine") && Contains("images/s"));
  }
  const Benchmark floats({"infer", "--model", "mlp", "--mode", "float", "--batch", "4"});
  CHECK(floats.json["bits"] == 32);
}

TEST_CASE("bench infer measures the graph of a run at two batches by both engines") {
  const Restored restored;
  const support::TemporaryDirectory directory;
  const std::string saved = (directory / "net").string();
  const Benchmark first({"infer", "--model", "lenet5", "--batch", "2", "--save", saved});
  CHECK(std::filesystem::exists(directory / "net/graph/graph.json"));
  const Benchmark run({"infer", "--run", saved});
  CHECK(run.json["run"] == saved);
  CHECK(run.json["requantization"] == "ort");
  std::set<std::pair<std::string, int>> found;
  for (const nlohmann::json& each : run.json["measurements"]) {
    check_keys(each, {"images_per_second", "batch_ms", "batch_ms_quantiles", "batches", "tensor_memory_mib"});
    CHECK(each["batch_ms_quantiles"]["p95"] >= each["batch_ms"]);
    found.emplace(each["engine"], each["batch"]);
  }
  CHECK(found == std::set<std::pair<std::string, int>>{{"float", 1}, {"float", 32}, {"integer", 1}, {"integer", 32}});
  CHECK_THAT(run.outcome.out, Contains("net (28, 28, 1), requantization ort") && Contains("95 % ms"));
  const Benchmark one({"infer", "--run", saved, "--engine", "integer", "--batch", "3"});
  REQUIRE(one.json["measurements"].size() == 1);
  CHECK(one.json["measurements"][0]["batch"] == 3);
  check_error({"infer", "--run", saved, "--model", "mlp"}, "--run");
  check_error({"infer", "--run", saved, "--save", saved}, "--run");
}

TEST_CASE("bench kernels times the passes of an operation") {
  const Restored restored;
  const Benchmark run({"kernels", "--only", "matmul", "--batch", "4"});
  const nlohmann::json& passes = run.json["passes"];
  REQUIRE(passes.size() == 6);  // two products: forward, data, kernel
  CHECK(passes[0]["pass"] == "forward");
  CHECK(passes[1]["pass"] == "data");
  CHECK(passes[2]["pass"] == "kernel");
  for (const nlohmann::json& pass : passes) {
    check_keys(pass, {"ms", "ms_quantiles", "gflops", "share_of_peak", "gb_per_s", "share_of_copy"});
    CHECK(pass["operation"] == "matmul");
  }
  CHECK(passes[1]["flops"] == 2.0 * 4 * 784 * 128);
  CHECK_THAT(run.outcome.out, Contains("ceilings: ") && Contains("784 to 128"));
}

TEST_CASE("every operation of bench kernels runs") {
  const Restored restored;
  const Benchmark run({"kernels", "--batch", "1", "--threads", "2"});
  std::set<std::string> names;
  for (const nlohmann::json& pass : run.json["passes"]) {
    names.insert(pass["operation"]);
    CHECK(pass["ms"] > 0);
  }
  for (const char* name : {"conv2d", "matmul", "add", "batch_norm", "relu", "fake_quantize", "max_pool2d",
                           "global_average_pool2d", "cross_entropy", "copy"})
    CHECK(names.contains(name));
}

TEST_CASE("bench scale varies one thing at a time") {
  const Restored restored;
  const Benchmark run(
      {"scale", "--model", "mlp", "--mode", "float", "--batches", "1,4", "--widths", "2", "--threads", "2"});
  std::map<std::string, int> sweeps;
  for (const nlohmann::json& setting : run.json["settings"]) {
    ++sweeps[setting["sweep"]];
    check_keys(setting, {"images_per_second", "step_ms", "tensor_memory_mib", "threads", "isa", "bounds"});
    CHECK_THAT(setting["bounds"].get<std::string>(), Contains(" of peak") || Contains(" of copy"));
  }
  CHECK(sweeps["batch"] == 2);
  CHECK(sweeps["width"] == 1);
  CHECK(sweeps["threads"] == 2);
  CHECK(sweeps["kernels"] >= 1);
  CHECK(sweeps["neighbours"] == 1);
  CHECK(num_threads() == 2);
}

TEST_CASE("wrong usage of bench is told in one line") {
  check_error({}, "subcommand");
  check_error({"trian"}, "unknown subcommand \"trian\" (did you mean \"train\"");
  check_error({"train", "--modell", "mlp"}, "unknown option \"--modell\" (did you mean \"--model\"");
  check_error({"train", "--model", "resnet"}, "unknown model \"resnet\" (did you mean \"resnet8\"");
  check_error({"train", "--mode", "lsqq"}, "unknown mode \"lsqq\" (did you mean \"lsq\"");
  check_error({"train", "--isa", "avx"}, "unknown instruction set \"avx\" (did you mean \"avx2\"");
  check_error({"train", "--optimizer", "sdg"}, "unknown optimizer \"sdg\" (did you mean \"sgd\"");
  check_error({"train", "--augment", "flop"}, "--augment flop: ");
  check_error({"train", "--batch", "0"}, "--batch 0: expected at least 1");
  check_error({"train", "--width", "0"}, "--width 0: expected 1 to 64");
  check_error({"train", "--bits", "17"}, "--bits 17: expected 1 to 16");
  check_error({"train", "--seconds", "0"}, "--seconds 0: expected more than 0");
  check_error({"train", "--threads", "257"}, "--threads 257: expected 0 to 256");
  check_error({"infer", "--engine", "integral"}, "unknown engine \"integral\" (did you mean \"integer\"");
  check_error({"infer", "--engine", "integer", "--mode", "float"}, "a float model has no integers");
  check_error({"kernels", "--only", "conv"}, "unknown operation \"conv\" (did you mean");
  check_error({"scale", "--batches", "0"}, "--batches 0: expected at least 1");
}

TEST_CASE("a result that cannot be written is an error") {
  const Restored restored;
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome =
      run_cli({"bench", "kernels", "--only", "copy", "--seconds", "60", "--json", "/nonexistent/result.json"});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());  // before anything is measured
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
  CHECK_THAT(outcome.err, Contains("/nonexistent/result.json"));
}

TEST_CASE("every benchmark helps with examples") {
  for (const char* benchmark : {"train", "infer", "kernels", "scale"}) {
    const Outcome help = run_cli({"bench", benchmark, "--help"});
    CHECK(help.code == 0);
    CHECK_THAT(help.out, Contains("Examples:") && Contains(std::string("bitgrad bench ") + benchmark));
  }
  CHECK_THAT(run_cli({"bench", "--help"}).out, Contains("Examples:") && Contains("kernels"));
}
