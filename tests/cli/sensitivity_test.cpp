// From a float run to mixed precision under a budget.
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/core/data/hold_out.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>
#include <bitgrad/qat/sensitivity.hpp>

#include "support.hpp"

using Catch::Matchers::Contains;
using support::Outcome;
using support::Workshop;

TEST_CASE("sensitivity ranks layers, allocate keeps the budget, and train uses it") {
  const Workshop shop(96);
  REQUIRE(shop.train("float", {"--model", "fashion_cnn", "--epochs", "2"}).code == 0);
  CHECK_THAT(support::run_cli({"allocate", shop.path("float"), "--bytes", "1000", "--out", shop.path("x")}).err,
             Contains("sensitivity.json is missing: bitgrad sensitivity " + shop.path("float") + " measures it"));
  const Outcome measured = support::run_cli({"sensitivity", shop.path("float"), "--bits", "2,4,8"});
  CHECK(measured.err == "");
  REQUIRE(measured.code == 0);
  CHECK_THAT(measured.out, Contains("2 bits") && Contains("dense2") && Contains("96 training images"));

  const auto allocate = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"allocate", shop.path("float"), "--out", shop.path("bits.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return support::run_cli(arguments);
  };
  const Outcome chosen = allocate({"--bytes", "16000"});
  CHECK(chosen.err == "");
  REQUIRE(chosen.code == 0);
  REQUIRE(shop.train("mixed", {"--from", shop.path("float/float.safetensors"), "--bits", shop.path("bits.json"),
                               "--activations", "lsq:8"})
              .code == 0);
  const auto report = nlohmann::json::parse(shop.text("mixed/report.json"));
  CHECK(report["quantized_bytes"] <= 16000);
  CHECK(report["quantized_bytes"] > 9000);
  CHECK(report["differing_codes"] == 0);

  // 8 bits everywhere are as many units as there are MACs, 2 bits a quarter of them.
  const auto costs = nlohmann::json::parse(shop.text("float/report.json"))["details"]["layers"];
  double macs = 0;
  for (const auto& layer : costs) macs += layer["macs"].get<double>();
  const Outcome by_macs = allocate({"--macs", bitgrad::cli::shortest(macs / 2)});
  CHECK(by_macs.err == "");
  REQUIRE(by_macs.code == 0);
  CHECK_THAT(by_macs.out, Contains("MACs x bits / 8"));
  std::map<std::string, int> bits;
  const auto file = nlohmann::json::parse(shop.text("bits.json"));
  for (const auto& rule : file["rules"])
    bits[rule["layer"]] = bitgrad::parse_quantizer_spec(rule["weights"].get<std::string>())->bits;
  CHECK(bits.size() == costs.size());
  double spent = 0;
  for (const auto& layer : costs) spent += layer["macs"].get<double>() * bits.at(layer["layer"]) / 8;
  CHECK(spent <= macs / 2);
  CHECK(spent > macs / 4);
  REQUIRE(shop.train("macs", {"--from", shop.path("float/float.safetensors"), "--bits", shop.path("bits.json"),
                              "--activations", "lsq:8"})
              .code == 0);
  const auto trained = nlohmann::json::parse(shop.text("macs/report.json"))["details"]["layers"];
  for (const auto& layer : trained) CHECK(layer["weight_bits"] == bits.at(layer["layer"]));
  CHECK(allocate({"--macs", bitgrad::cli::shortest(macs / 5)}).code == 1);

  const Outcome small = allocate({"--bytes", "100"});
  CHECK(small.code == 1);
  CHECK_THAT(small.err, Contains("the smallest widths measured cost"));
  CHECK(allocate({}).code == 2);
  CHECK(allocate({"--bytes", "16000", "--macs", "5"}).code == 2);
  CHECK(support::run_cli({"allocate", shop.path("mixed"), "--bytes", "1000", "--out", shop.path("x")}).code == 1);
  CHECK(support::run_cli({"sensitivity", shop.path("float"), "--data", shop.path("data"), "--weights", "lsk:4"}).code ==
        2);
}

TEST_CASE("the quantizer that sensitivity measured is the one that train takes") {
  const Workshop shop(64);
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  REQUIRE(
      support::run_cli({"sensitivity", shop.path("float"), "--bits", "2,4", "--weights", "lsq-pot:8:minmax"}).code ==
      0);
  REQUIRE(support::run_cli({"allocate", shop.path("float"), "--bytes", "9000", "--out", shop.path("bits.json")}).code ==
          0);
  REQUIRE(shop.train("mixed", {"--from", shop.path("float"), "--bits", shop.path("bits.json"), "--weights", "lsq:8"})
              .code == 0);
  const auto report = nlohmann::json::parse(shop.text("mixed/report.json"));
  int kernels = 0;
  for (const auto& layer : report["layers"])
    if (layer["tensor"].get<std::string>().ends_with("/kernel")) {
      ++kernels;
      CHECK(layer["quantizer"] == "lsq-pot");
      CHECK(layer["bits"] <= 4);
    }
  CHECK(kernels == 3);
  CHECK(report["weights"].get<std::string>().starts_with("lsq-pot:"));
  CHECK_THAT(support::run_cli({"table", shop.path("mixed")}).out, Contains("/ 8 mixed"));
  CHECK_THAT(shop.text("bits.json"), Contains("minmax"));
}

TEST_CASE("sensitivity measures the model that shipped, on the images that the run trained on") {
  const Workshop shop(120);
  // --patience ends the run two epochs after the best one.
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "40", "--lr", "0.05", "--schedule", "constant", "--best",
                             "--patience", "2", "--limit", "100", "--hold-out", "0.2", "--hold-out-seed", "7"})
              .code == 0);
  const Outcome outcome = support::run_cli({"sensitivity", shop.path("run"), "--bits", "4"});
  CHECK(outcome.err == "");
  REQUIRE(outcome.code == 0);
  using namespace bitgrad;
  data::Dataset images = support::tiny_dataset(120, 8, 1);
  images.images = images.images.rows(0, 100);
  images.labels = images.labels.rows(0, 100);
  const data::Dataset rest = data::hold_out(images, 0.2, 7).rest;
  CHECK_THAT(outcome.out, Contains(" on " + std::to_string(rest.size()) + " training images"));
  const auto expected = [&](const std::string& file, const data::Dataset& on) {
    const Model model = restore_model(read_checkpoint(shop / ("run/" + file)));
    return weight_sensitivity(model, on, std::vector<int>{4}, QuantizerSpec{}).to_json() + "\n";
  };
  const std::string best = expected("float-best.safetensors", rest);
  REQUIRE(expected("float.safetensors", rest) != best);
  REQUIRE(expected("float-best.safetensors", images) != best);
  CHECK(shop.text("run/sensitivity.json") == best);
  // Fewer of them, and others.
  CHECK_THAT(support::run_cli({"sensitivity", shop.path("run"), "--bits", "4", "--limit", "30"}).out,
             Contains(" on 30 training images"));
  support::write_tiny_data(shop / "other", 20, 8);
  CHECK_THAT(support::run_cli({"sensitivity", shop.path("run"), "--bits", "4", "--data", shop.path("other")}).out,
             Contains(message(" on ", data::hold_out(support::tiny_dataset(20, 8, 1), 0.2, 7).rest.size(),
                              " training images")));
}
