// A grid of runs in processes of their own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support.hpp"

using Catch::Matchers::Contains;
using support::Workshop;

namespace {

/// The program itself: a sweep starts its own executable.
int sweep(const Workshop& shop, const std::string& arguments) {
  const std::string command = "'" BITGRAD_PROGRAM "' sweep --config '" + shop.path("base.json") + "' --out '" +
                              shop.path("sweep") + "' " + arguments + " > '" + shop.path("said") + "' 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

}  // namespace

TEST_CASE("a sweep runs every combination, goes on where it was stopped, and leaves tables") {
  const Workshop shop(64);
  const nlohmann::json base = {{"data", shop.path("data")}, {"model", "mlp"}, {"epochs", 1},
                               {"qat-epochs", 1},           {"batch", 32},    {"calibration", 64}};
  bitgrad::io::write_file_atomically(shop / "base.json", base.dump());
  const std::string grid = "--grid weights=lsq:8,lsq:2 --grid seed=1,2 --jobs 2";
  REQUIRE(sweep(shop, grid) == 0);
  const std::string csv = shop.text("sweep/table.csv"), markdown = shop.text("sweep/table.md");
  CHECK_THAT(csv, Contains("run,weights,seed,float_accuracy") && Contains("\nweights-lsq-2_seed-1,lsq:2,1,"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 5);
  CHECK(std::count(markdown.begin(), markdown.end(), '\n') == 4);
  CHECK_THAT(markdown, Contains("lsq:8") && Contains("±"));
  // The same run by hand.
  REQUIRE(support::run_cli({"train", "--config", shop.path("base.json"), "--weights", "lsq:2", "--seed", "2", "--out",
                            shop.path("one")})
              .code == 0);
  CHECK(shop.bytes("one/graph/graph.npz") == shop.bytes("sweep/weights-lsq-2_seed-2/graph/graph.npz"));
  // One is lost, and made again to the byte; the others are not trained again.
  const auto before = shop.bytes("sweep/weights-lsq-8_seed-1/graph/graph.npz");
  std::filesystem::remove_all(shop / "sweep/weights-lsq-8_seed-1");
  REQUIRE(sweep(shop, grid) == 0);
  CHECK(shop.bytes("sweep/weights-lsq-8_seed-1/graph/graph.npz") == before);
  CHECK(shop.text("sweep/weights-lsq-8_seed-2.log").find("epoch 1/1") == std::string::npos);
  CHECK(shop.text("sweep/weights-lsq-8_seed-1.log").find("epoch 1/1") != std::string::npos);
}

TEST_CASE("a sweep says which runs failed and which grids cannot be") {
  const Workshop shop(32);
  bitgrad::io::write_file_atomically(
      shop / "base.json", nlohmann::json({{"data", shop.path("data")}, {"model", "mlp"}, {"epochs", 1}}).dump());
  CHECK(sweep(shop, "--grid optimizer=adam,adm") == 1);
  CHECK_THAT(shop.text("said"), Contains("optimizer-adm: failed") && Contains("1 of 2 runs failed"));
  CHECK_THAT(shop.text("sweep/optimizer-adm.log"), Contains("did you mean"));
  for (const char* wrong : {"--grid seed", "--grid seed=", "--grid =1", "--grid seed=1,,2", "--grid out=a",
                            "--grid seed=1 --grid seed=2", "--grid seed=1 --jobs 0"}) {
    INFO(wrong);
    CHECK(sweep(shop, wrong) == 2);
  }
}
