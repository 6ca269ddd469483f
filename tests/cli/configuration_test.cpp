// Options from a file, and back into one.
#include <catch2/catch.hpp>

#include <CLI/App.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/train_arguments.hpp>

#include "support.hpp"

using Catch::Matchers::Contains;
using nlohmann::json;
using support::Outcome;
using support::Workshop;

namespace {

std::string write(const Workshop& shop, std::string_view text) {
  bitgrad::io::write_file_atomically(shop / "options.json", text);
  return shop.path("options.json");
}

}  // namespace

TEST_CASE("train takes its options from a file, and those that are typed win") {
  const Workshop shop(64);
  const json options = {{"data", shop.path("data")},
                        {"model", "mlp"},
                        {"epochs", 3},
                        {"batch", 32},
                        {"lr", 0.01},
                        {"best", true},
                        {"threads", 2},
                        {"seed", 18446744073709551615U},
                        {"optimizer", "sgd"},
                        {"momentum", 0},
                        {"out", shop.path("file")}};
  const std::string file = write(shop, options.dump());
  REQUIRE(support::run_cli({"train", "--config", file, "--epochs", "1"}).code == 0);
  REQUIRE(support::run_cli({"train",
                            "--data",
                            shop.path("data"),
                            "--model",
                            "mlp",
                            "--epochs",
                            "1",
                            "--batch",
                            "32",
                            "--lr",
                            "0.01",
                            "--best",
                            "--seed",
                            "18446744073709551615",
                            "--optimizer",
                            "sgd",
                            "--momentum",
                            "0",
                            "--out",
                            shop.path("typed")})
              .code == 0);
  CHECK(shop.bytes("file/float.safetensors") == shop.bytes("typed/float.safetensors"));
  CHECK(shop.exists("file/float-best.safetensors"));
  const json saved = json::parse(shop.text("file/run.json"));
  CHECK(saved["format"] == "bitgrad.run");
  CHECK(saved["epochs"] == 1);
  CHECK(saved["lr"] == 0.01);
  CHECK(saved["best"] == true);
  CHECK(saved["seed"] == 18446744073709551615U);
  CHECK(saved["schedule"] == "cosine");  // not given: the default
  CHECK(saved["weights"] == "none");
}

TEST_CASE("the configuration that a run leaves reproduces it") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "fashion_cnn", "--epochs", "1", "--qat-epochs", "2", "--qat-lr", ".005",
                             "--weights", "lsq:3", "--augment", "flip", "--mixup", "0.25", "--accumulate", "2"})
              .code == 0);
  REQUIRE(support::run_cli({"train", "--config", shop.path("run/run.json"), "--out", shop.path("again")}).code == 0);
  for (const char* file : {"/float.safetensors", "/quantized.safetensors", "/graph/graph.json", "/graph/graph.npz"}) {
    INFO(file);
    CHECK(shop.bytes(std::string("run") + file) == shop.bytes(std::string("again") + file));
  }
  json first = json::parse(shop.text("run/run.json")), second = json::parse(shop.text("again/run.json"));
  CHECK(first["qat-lr"] == 0.005);
  CHECK(first["mixup"] == 0.25);
  first.erase("out");
  second.erase("out");
  CHECK(first == second);
}

TEST_CASE("the configuration of a run holds its rules of mixed precision, whatever becomes of their file") {
  const Workshop shop(64);
  const auto write_bits = [&](int bits) {
    const json rules = {{{"layer", "dense2"}, {"weights", bits}}};
    const json file = {{"format", "bitgrad.bits"}, {"version", 1}, {"rules", rules}};
    bitgrad::io::write_file_atomically(shop / "bits.json", file.dump());
  };
  write_bits(2);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--qat-epochs", "1", "--bits", shop.path("bits.json")})
              .code == 0);
  CHECK(json::parse(shop.text("run/run.json"))["bits"]["rules"][0]["weights"] == 2);
  write_bits(6);
  const auto again = [&](const std::string& out) {
    return support::run_cli({"train", "--config", shop.path("run/run.json"), "--out", shop.path(out)});
  };
  REQUIRE(again("again").code == 0);
  CHECK(shop.bytes("again/graph/graph.npz") == shop.bytes("run/graph/graph.npz"));
  std::filesystem::remove(shop / "bits.json");
  REQUIRE(again("without").code == 0);
  CHECK(shop.bytes("without/graph/graph.npz") == shop.bytes("run/graph/graph.npz"));
  CHECK(support::run_cli({"train", "--resume", "--out", shop.path("run")}).code == 0);
}

TEST_CASE("the configuration of a run says defaults too") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "0", "--weights", "lsq:4"}).code == 0);
  const json saved = json::parse(shop.text("run/run.json"));
  CHECK(saved["best"] == false);
  CHECK(saved["tensorboard"] == false);
  CHECK(saved["temperature"] == 4);
  CHECK(saved["calibration-method"] == "mse");
  CHECK(saved["hold-out-seed"] == 1);
  CHECK(saved["init-layout"] == "bitgrad");
  std::vector<std::string> absent;
  bitgrad::cli::TrainOptions options;
  CLI::App command;
  options.declare(command);
  for (const CLI::Option* option : command.get_options())
    if (!option->get_lnames().empty() && !saved.contains(option->get_lnames().front()))
      absent.push_back(option->get_lnames().front());
  CHECK(absent == std::vector<std::string>{"help", "config", "from", "init", "resume", "replace", "hold-out", "bits",
                                           "freeze-batch-norm", "gradual"});
}

TEST_CASE("texts that look like JSON stay texts in a configuration") {
  CLI::App command;
  std::string text, bits;
  command.add_option("--text", text);
  command.add_option("--bits", bits);
  command.parse("--text {x --bits {\"a\":1}");
  const json saved = json::parse(bitgrad::cli::configuration_of(command, {}));
  CHECK(saved["text"] == "{x");
  CHECK(saved["bits"]["a"] == 1);
}

TEST_CASE("a configuration that is wrong names the file, the key and what was expected") {
  const Workshop shop(8, 4);
  const auto refused = [&](std::string_view text) {
    const Outcome outcome = support::run_cli({"train", "--config", write(shop, text), "--out", shop.path("run")});
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("options.json: "));
    CHECK_FALSE(shop.exists("run"));
    return outcome.err;
  };
  CHECK_THAT(refused(R"({"epohcs": 3})"), Contains("unknown key \"epohcs\" (did you mean \"epochs\""));
  CHECK_THAT(refused(R"({"resume": true})"), Contains("unknown key \"resume\""));
  CHECK_THAT(refused(R"({"epochs": "3"})"), Contains("\"epochs\" is \"3\", expected a whole number"));
  CHECK_THAT(refused(R"({"epochs": 3.5})"), Contains("\"epochs\" is 3.5, expected a whole number"));
  CHECK_THAT(refused(R"({"lr": true})"), Contains("\"lr\" is true, expected a number"));
  CHECK_THAT(refused(R"({"model": 8})"), Contains("\"model\" is 8, expected a text in quotes"));
  CHECK_THAT(refused(R"({"best": 1})"), Contains("\"best\" is 1, expected true or false"));
  CHECK_THAT(refused(R"({"seed": -1})"), Contains("\"seed\" is -1") && Contains("expected a whole number, 0 or more"));
  CHECK_THAT(refused(R"({"version": 2})"), Contains("version is 2, expected 1"));
  CHECK_THAT(refused(R"([1])"), Contains("expected a JSON object"));
  CHECK_THAT(refused("{"), Contains("expected a JSON object"));
  const Outcome missing = support::run_cli({"train", "--config", shop.path("nowhere.json"), "--out", shop.path("run")});
  CHECK(missing.code == 1);
  CHECK_THAT(missing.err, Contains("nowhere.json"));
  CHECK_THAT(support::run_cli({"train", "--config", write(shop, R"({"model": "mlp"})")}).err,
             Contains("--out is required"));
}
