// A grid of runs in processes of their own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/sweep_schedule.hpp>
#include <bitgrad/cli/text_table.hpp>
#include "support.hpp"

using bitgrad::cli::parse_grid;
using bitgrad::cli::SweepSchedule;
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
  // Numbers in the fewest digits that read back to the same as those of report.json.
  const auto report = nlohmann::json::parse(shop.text("sweep/weights-lsq-2_seed-1/report.json"));
  const std::string tail = ",0," + bitgrad::cli::shortest(report["seconds"].get<double>()) + "\n";
  CHECK_THAT(csv, Contains("lsq:2,1," + bitgrad::cli::shortest(report["float_accuracy"].get<double>()) + ",") &&
                      Contains(tail));
  CHECK(bitgrad::cli::shortest(0.1) == "0.1");
  CHECK(bitgrad::cli::shortest(100) == "100");
  CHECK(std::count(markdown.begin(), markdown.end(), '\n') == 4);
  CHECK_THAT(markdown, Contains("lsq:8") && Contains("±"));
  // The same run by hand.
  REQUIRE(support::run_cli({"train", "--config", shop.path("base.json"), "--weights", "lsq:2", "--seed", "2", "--out",
                            shop.path("one")})
              .code == 0);
  CHECK(shop.bytes("one/graph/graph.npz") == shop.bytes("sweep/weights-lsq-2_seed-2/graph/graph.npz"));
  // The float model is trained once for each seed.
  CHECK(shop.text("sweep/weights-lsq-8_seed-2.log").find("float epoch 1/1") != std::string::npos);
  CHECK(shop.text("sweep/weights-lsq-2_seed-2.log").find("float epoch 1/1") == std::string::npos);
  CHECK(shop.text("sweep/weights-lsq-2_seed-2.log").find("quantized epoch 1/1") != std::string::npos);
  CHECK(shop.bytes("one/quantized.safetensors") == shop.bytes("sweep/weights-lsq-2_seed-2/quantized.safetensors"));
  // One is lost, and made again to the byte; the others are not trained again.
  const auto before = shop.bytes("sweep/weights-lsq-8_seed-1/graph/graph.npz");
  std::filesystem::remove_all(shop / "sweep/weights-lsq-8_seed-1");
  REQUIRE(sweep(shop, grid) == 0);
  CHECK(shop.bytes("sweep/weights-lsq-8_seed-1/graph/graph.npz") == before);
  CHECK(shop.text("sweep/weights-lsq-8_seed-2.log").find("epoch 1/1") == std::string::npos);
  CHECK(shop.text("sweep/weights-lsq-8_seed-1.log").find("epoch 1/1") != std::string::npos);
  // Killed before it had written anything: an empty directory.
  std::filesystem::remove_all(shop / "sweep/weights-lsq-8_seed-1");
  std::filesystem::create_directory(shop / "sweep/weights-lsq-8_seed-1");
  REQUIRE(sweep(shop, grid) == 0);
  CHECK(shop.bytes("sweep/weights-lsq-8_seed-1/graph/graph.npz") == before);
}

TEST_CASE("options of a sweep can go together, floats among them") {
  const Workshop shop(64);
  bitgrad::io::write_file_atomically(
      shop / "base.json",
      nlohmann::json({{"data", shop.path("data")}, {"model", "mlp"}, {"epochs", 1}, {"batch", 32}, {"calibration", 64}})
          .dump());
  REQUIRE(sweep(shop, "--grid weights+activations+qat-epochs=none+none+0,lsq:2+lsq:4+1") == 0);
  CHECK_THAT(shop.text("sweep/table.csv"),
             Contains("run,weights,activations,qat-epochs,") && Contains(",lsq:2,lsq:4,1,"));
  CHECK(shop.text("sweep/weights-lsq-2_activations-lsq-4_qat-epochs-1.log").find("float epoch") == std::string::npos);
}

TEST_CASE("runs of a sweep wait for the one that trains their float model") {
  SweepSchedule schedule(parse_grid({"seed=1,2", "weights=lsq:8,lsq:4"}));
  const auto a = schedule.next(), b = schedule.next();
  REQUIRE((a && b));
  CHECK(name_of(a->point) == "seed-1_weights-lsq-8");
  CHECK(name_of(b->point) == "seed-2_weights-lsq-8");
  CHECK_FALSE(a->leader);
  CHECK_FALSE(schedule.next());
  schedule.done(b->point);
  const auto c = schedule.next();
  REQUIRE(c);
  CHECK(name_of(c->point) == "seed-2_weights-lsq-4");
  CHECK(c->leader == b->point);
  CHECK_FALSE(schedule.next());
  schedule.done(a->point);
  CHECK(schedule.next()->leader == a->point);
  CHECK_FALSE(schedule.next());
}

TEST_CASE("a sweep says which runs failed and which grids cannot be") {
  const Workshop shop(32);
  bitgrad::io::write_file_atomically(
      shop / "base.json", nlohmann::json({{"data", shop.path("data")}, {"model", "mlp"}, {"epochs", 1}}).dump());
  CHECK(sweep(shop, "--grid optimizer=adam,adm") == 1);
  CHECK_THAT(shop.text("said"),
             Contains("optimizer-adm: failed: bitgrad: error: unknown optimizer \"adm\" (did you mean") &&
                 Contains("1 of 2 runs failed"));
  CHECK_THAT(shop.text("sweep/optimizer-adm.log"), Contains("did you mean"));
  for (const char* wrong :
       {"--grid seed", "--grid seed=", "--grid =1", "--grid seed=1,,2", "--grid out=a", "--grid seed=1 --grid seed=2",
        "--grid seed=1 --jobs 0", "--grid sed=1", "--grid weights+seed=lsq:8", "--grid weights+seed=lsq:8+",
        "--grid seed=1,1", "--grid from=a/b,a-b"}) {
    INFO(wrong);
    CHECK(sweep(shop, wrong) == 2);
  }
}
