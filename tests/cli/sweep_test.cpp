// A grid of runs in processes of their own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include <bitgrad/cli/child_processes.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/sweep_schedule.hpp>
#include <bitgrad/cli/sweep_table.hpp>
#include <bitgrad/cli/text_table.hpp>
#include "child.hpp"
#include "support.hpp"

using bitgrad::cli::parse_grid;
using bitgrad::cli::SweepSchedule;
using Catch::Matchers::Contains;
using support::Child;
using support::wait_until;
using support::Workshop;

namespace {

/// The program itself: a sweep starts its own executable.
int sweep(const Workshop& shop, const std::string& arguments) {
  const std::string command = "'" BITGRAD_PROGRAM "' sweep --config '" + shop.path("base.json") + "' --out '" +
                              shop.path("sweep") + "' " + arguments + " > '" + shop.path("said") + "' 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

/// The same as a process that can be interrupted, into a directory of its own; more than one run at a time.
std::vector<std::string> sweep_into(const Workshop& shop, const std::string& out, const std::vector<std::string>& grid,
                                    const std::string& jobs = "2") {
  std::vector<std::string> arguments{"sweep",  "--config", shop.path("base.json"), "--out", shop.path(out),
                                     "--jobs", jobs};
  for (const std::string& axis : grid) arguments.insert(arguments.end(), {"--grid", axis});
  return arguments;
}

void write_base(const Workshop& shop, int epochs, int qat_epochs) {
  const nlohmann::json base = {{"data", shop.path("data")}, {"model", "mlp"},   {"epochs", epochs}, {"batch", 32},
                               {"qat-epochs", qat_epochs},  {"calibration", 64}};
  bitgrad::io::write_file_atomically(shop / "base.json", base.dump());
}

/// table.csv without its last column, which is of seconds.
std::string numbers_of(const Workshop& shop, const std::string& out) {
  std::istringstream lines(shop.text(out + "/table.csv"));
  std::string text;
  for (std::string line; std::getline(lines, line);) text += line.substr(0, line.rfind(',')) + '\n';
  return text;
}

void check_same_sweep(const Workshop& shop, const std::string& a, const std::string& b) {
  CHECK(numbers_of(shop, a) == numbers_of(shop, b));
  CHECK(shop.text(a + "/table.md") == shop.text(b + "/table.md"));
  int runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shop / a))
    if (entry.is_directory()) {
      ++runs;
      const std::string graph = "/" + entry.path().filename().string() + "/graph/graph.npz";
      CHECK(shop.bytes(a + graph) == shop.bytes(b + graph));
    }
  CHECK(runs == 4);
}

const std::vector<std::string> four_runs{"weights=lsq:8,lsq:2", "seed=1,2"};

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
  // Those of report.json, to ten digits.
  const auto report = nlohmann::json::parse(shop.text("sweep/weights-lsq-2_seed-1/report.json"));
  const auto digits = [&](const char* field) { return bitgrad::cli::format("%.10g", report[field].get<double>()); };
  CHECK_THAT(csv, Contains("lsq:2,1," + digits("float_accuracy") + ",") && Contains(",0," + digits("seconds") + "\n"));
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

TEST_CASE("values of a sweep may contain commas, in a JSON list") {
  const auto points = parse_grid({R"(gradual=["8,4,2","4,2"])", R"(seed+lr=["1+0.1","2+0.2"])"});
  REQUIRE(points.size() == 4);
  CHECK(name_of(points[0]) == "gradual-8-4-2_seed-1_lr-0.1");
  CHECK(points[2][0].value == "4,2");
  CHECK(parse_grid({"seed=[1,2]"}) == parse_grid({"seed=1,2"}));
  CHECK(parse_grid({"lr=[1e30]"}) == parse_grid({"lr=1e+30"}));
  for (const char* wrong : {"seed=[", "seed=[]", "seed=[null]", "seed=[[1]]", R"(seed=["1",])", R"(seed=[{"a":1}])"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(parse_grid({wrong}), Contains("is not a JSON list of values"));
  }
  const std::string csv = bitgrad::cli::sweep_csv({{points[0], {}}, {{{"augment", "a\"b"}}, {}}});
  CHECK_THAT(csv, Contains("\ngradual-8-4-2_seed-1_lr-0.1,\"8,4,2\",1,0.1,") && Contains(",\"a\"\"b\","));
}

TEST_CASE("a sweep that is stopped leaves tables of the runs that were done") {
  const Workshop shop(64);
  write_base(shop, 1, 0);
  const Child child(sweep_into(shop, "sweep", {"epochs=1,1000000"}), shop.path("said"));
  REQUIRE(wait_until([&] {
    return shop.exists("said") && shop.text("said").find("epochs-1: done") != std::string::npos &&
           shop.exists("sweep/epochs-1000000/float.safetensors");
  }));
  child.interrupt();
  CHECK(WEXITSTATUS(child.wait_for_a_minute()) == 130);
  CHECK_THAT(shop.text("said"), Contains("1 of 2 runs") && !Contains("failed"));
  CHECK_THAT(shop.text("sweep/table.csv"), Contains("\nepochs-1,1,") && !Contains("epochs-1000000"));
  CHECK_THAT(shop.text("sweep/table.md"), Contains("| 1      |    1 |"));
}

TEST_CASE("a sweep refuses a configuration that no run could take, once") {
  const Workshop shop(32);
  bitgrad::io::write_file_atomically(shop / "base.json", std::string_view(R"({"epohcs": 3})"));
  CHECK(sweep(shop, "--grid seed=1,2") == 2);
  CHECK_THAT(shop.text("said"), Contains("base.json: unknown key \"epohcs\" (did you mean \"epochs\""));
  CHECK_FALSE(shop.exists("sweep"));
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
  CHECK(sweep(shop, "--grid optimizer=adam,adm") == 2);
  CHECK_THAT(shop.text("said"), Contains("optimizer-adm: unknown optimizer \"adm\" (did you mean"));
  CHECK(sweep(shop, "--grid seed=1,two") == 2);
  CHECK_THAT(shop.text("said"), Contains("seed-two: ") && Contains("--seed"));
  CHECK_FALSE(shop.exists("sweep"));
  // What only a run finds out: its directory is a file.
  std::filesystem::create_directory(shop / "sweep");
  bitgrad::io::write_file_atomically(shop / "sweep/seed-2", std::string_view("in the way"));
  CHECK(sweep(shop, "--grid seed=1,2") == 1);
  CHECK_THAT(shop.text("said"), Contains("seed-1: done") && Contains("seed-2: failed: bitgrad: error: ") &&
                                    Contains("1 of 2 runs; ") && Contains("1 of 2 runs failed"));
  std::filesystem::remove(shop / "sweep/seed-2");
  for (const char* wrong :
       {"--grid seed", "--grid seed=", "--grid =1", "--grid seed=1,,2", "--grid out=a", "--grid replace=true",
        "--grid resume=true", "--grid help=true", "--grid seed=1 --grid seed=2", "--grid seed=1 --jobs 0",
        "--grid sed=1", "--grid weights+seed=lsq:8", "--grid weights+seed=lsq:8+", "--grid seed=1,1",
        "--grid from=a/b,a-b"}) {
    INFO(wrong);
    CHECK(sweep(shop, wrong) == 2);
  }
}

TEST_CASE("a sweep does not mix with the runs of another one") {
  const Workshop shop(32);
  write_base(shop, 1, 0);
  REQUIRE(sweep(shop, "--grid seed=1") == 0);
  REQUIRE(sweep(shop, "--grid seed=1,2") == 0);  // more of the same
  const std::string table = shop.text("sweep/table.csv");
  CHECK(sweep(shop, "--grid seed=2") == 2);
  CHECK_THAT(shop.text("said"), Contains("sweep: holds seed-1, a run that is not of this grid"));
  write_base(shop, 2, 0);
  CHECK(sweep(shop, "--grid seed=1,2") == 2);
  CHECK_THAT(shop.text("said"), Contains("seed-1: ") && Contains("--epochs is 1 there and 2 here"));
  CHECK(shop.text("sweep/table.csv") == table);
}

TEST_CASE("a sweep that is asked to stop asks its runs, which save and end, and the same command goes on") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  INFO("signal " << signal);
  const Workshop shop(64);
  // Runs without an end.
  write_base(shop, 1000000, 1);
  const std::vector<std::string> endless = sweep_into(shop, "endless", {"seed=1,2,3"});
  const Child child(endless, shop.path("said"));
  REQUIRE(wait_until([&] {
    return shop.exists("endless/seed-1/float.safetensors") && shop.exists("endless/seed-2/float.safetensors");
  }));
  child.send(signal);
  CHECK(WEXITSTATUS(child.wait_for_a_minute()) == 130);
  CHECK_THAT(shop.text("said"), Contains("seed-1: stopped\n") && Contains("seed-2: stopped\n") &&
                                    Contains("stopped; the same command goes on from there"));
  for (const char* run : {"endless/seed-1", "endless/seed-2"}) {
    CHECK_FALSE(bitgrad::cli::RunLock::held({shop / run}));
    CHECK_THAT(shop.text(run + std::string(".log")), Contains("everything is saved in"));
  }
  CHECK_FALSE(shop.exists("endless/seed-3"));
  CHECK_THAT(shop.text("said"), Contains("0 of 3 runs\n"));
  CHECK_FALSE(shop.exists("endless/table.csv"));

  // Runs with one, stopped at several moments.
  write_base(shop, 20, 10);
  REQUIRE(WEXITSTATUS(Child(sweep_into(shop, "whole", four_runs)).wait_for_a_minute()) == 0);
  int stops = 0, code = 130;
  for (int attempt = 0; attempt < 30 && code == 130; ++attempt) {
    const Child stopped(sweep_into(shop, "stopped", four_runs));
    std::this_thread::sleep_for(std::chrono::milliseconds(60 + 20 * attempt));
    stopped.send(signal);
    const int status = stopped.wait_for_a_minute();
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 130;  // before it had set itself up for signals
    stops += code == 130 ? 1 : 0;
  }
  if (code == 130) code = WEXITSTATUS(Child(sweep_into(shop, "stopped", four_runs)).wait_for_a_minute());
  CHECK(code == 0);
  CHECK(stops > 0);
  check_same_sweep(shop, "whole", "stopped");
}

TEST_CASE("after kill -9 of a sweep the same command waits for the runs that go on, and ends with the same tables") {
  const Workshop shop(64);
  write_base(shop, 60, 20);
  REQUIRE(WEXITSTATUS(Child(sweep_into(shop, "whole", four_runs)).wait_for_a_minute()) == 0);
  const Child killed(sweep_into(shop, "killed", four_runs));
  REQUIRE(wait_until([&] {
    return shop.exists("killed/weights-lsq-8_seed-1/float.safetensors") &&
           shop.exists("killed/weights-lsq-8_seed-2/float.safetensors");
  }));
  killed.send(SIGKILL);
  killed.wait();
  CHECK_FALSE(shop.exists("killed/table.csv"));
  const Child again(sweep_into(shop, "killed", four_runs), shop.path("said"));
  CHECK(WEXITSTATUS(again.wait_for_a_minute()) == 0);
  CHECK_THAT(shop.text("said"), !Contains("failed") && Contains("4 of 4 runs"));
  check_same_sweep(shop, "whole", "killed");
}

TEST_CASE("a sweep waits for a directory in which another process trains") {
  const Workshop shop(64);
  write_base(shop, 1, 1);
  std::filesystem::create_directories(shop / "sweep/seed-1");
  std::optional<bitgrad::cli::RunLock> other(std::in_place, bitgrad::cli::RunDirectory{shop / "sweep/seed-1"});
  const Child child(sweep_into(shop, "sweep", {"seed=1"}), shop.path("said"));
  REQUIRE(wait_until([&] {
    return shop.exists("said") &&
           shop.text("said").find("seed-1: another process is training there, waiting\n") != std::string::npos;
  }));
  CHECK_FALSE(shop.exists("sweep/seed-1/run.json"));
  other.reset();
  CHECK(WEXITSTATUS(child.wait_for_a_minute()) == 0);
  CHECK_THAT(shop.text("said"), Contains("seed-1: done\n"));
}

TEST_CASE("a sweep says what it can of a run whose log is gone") {
  const Workshop shop(4, 4);
  const int failed = 1 << 8;  // as waitpid() has exit code 1
  bitgrad::io::write_file_atomically(shop / "log", std::string_view("one\nbitgrad: error: two\n\n"));
  CHECK(bitgrad::cli::outcome(failed, shop / "log") == "failed: bitgrad: error: two");
  CHECK_THAT(bitgrad::cli::outcome(failed, shop / "none"),
             Contains("failed: exit code 1, and its log cannot be read: ") && Contains("none"));
  CHECK(bitgrad::cli::outcome(0, shop / "none") == "done");
  CHECK(bitgrad::cli::outcome(130 << 8, shop / "none") == "stopped");
  CHECK(bitgrad::cli::outcome(SIGKILL, shop / "none") == "killed by signal 9");
}
