// From a float run to mixed precision under a budget.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support.hpp"

using Catch::Matchers::Contains;
using support::Outcome;
using support::Workshop;

TEST_CASE("sensitivity ranks layers, allocate keeps the budget, and train uses it") {
  const Workshop shop(96);
  REQUIRE(shop.train("float", {"--model", "fashion_cnn", "--epochs", "2"}).code == 0);
  const Outcome measured =
      support::run_cli({"sensitivity", shop.path("float"), "--data", shop.path("data"), "--bits", "2,4,8"});
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

  const Outcome small = allocate({"--bytes", "100"});
  CHECK(small.code == 1);
  CHECK_THAT(small.err, Contains("the smallest widths measured cost"));
  CHECK(allocate({}).code == 2);
  CHECK(allocate({"--bytes", "16000", "--macs", "5"}).code == 2);
  CHECK(support::run_cli({"allocate", shop.path("mixed"), "--bytes", "1000", "--out", shop.path("x")}).code == 1);
  CHECK(support::run_cli({"sensitivity", shop.path("float"), "--data", shop.path("data"), "--weights", "lsk:4"}).code ==
        2);
}
