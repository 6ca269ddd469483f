// Interrupted runs continue to the byte.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include <bitgrad/cli/event_file.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/io/tfrecord.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include "child.hpp"
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using support::Child;
using support::metrics_rows;
using support::Outcome;
using support::plus;
using support::Workshop;

namespace {

std::vector<std::string> resuming(std::vector<std::string> arguments) {
  arguments.push_back("--resume");
  return arguments;
}

/// What `bitgrad sweep` does: --resume where there is a run to go on with. A kill may come before there is one.
std::vector<std::string> going_on(const Workshop& shop, const std::string& run,
                                  const std::vector<std::string>& options) {
  const std::vector<std::string> arguments = shop.training(run, options);
  return cli::RunDirectory{shop / run}.holds_run() ? resuming(arguments) : arguments;
}

void check_same_run(const Workshop& shop, const std::string& a, const std::string& b) {
  for (const char* file : {"/float.safetensors", "/quantized.safetensors", "/graph/graph.json", "/graph/graph.npz"}) {
    INFO(file);
    CHECK(shop.bytes(a + file) == shop.bytes(b + file));
  }
  CHECK(metrics_rows(shop, a) == metrics_rows(shop, b));
}

/// The run "whole", and "killed", which is killed so many times at random moments and goes on, have the same bytes.
void check_killed_run(const Workshop& shop, const std::vector<std::string>& options, int kills_tried) {
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(Child(shop.training("whole", options)).wait() == 0);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);

  Random random(static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
  INFO("random state " << random.state());
  int kills = 0;
  for (int attempt = 0; attempt < kills_tried; ++attempt)
    kills +=
        Child(going_on(shop, "killed", options)).kill_after(std::chrono::milliseconds(random.below(1 + whole.count())))
            ? 1
            : 0;
  REQUIRE(Child(going_on(shop, "killed", options)).wait() == 0);
  INFO(kills << " kills");
  check_same_run(shop, "whole", "killed");
}

}  // namespace

TEST_CASE("a run that is killed at random moments continues to the byte") {
  const Workshop shop(192);
  const std::vector<std::string> options = plus(
      support::w4a4,
      {"--augment", "flip,shift:1", "--mixup", "0.4", "--save-every", GENERATE("0", "1", "4"), "--accumulate", "2"});
  check_killed_run(shop, options, 6);
}

TEST_CASE("a gradual run with averages that is killed at random moments continues to the byte") {
  const Workshop shop(192);
  const std::vector<std::string> options{"--model",       "fashion_cnn",   "--epochs",     "2",     "--weights",
                                         "lsq:2",         "--gradual",     "8:1,4:1,2:2",  "--ema", "0.9",
                                         "--schedule",    "plateau",       "--save-every", "2",     "--best",
                                         "--tensorboard", "--activations", "lsq:4"};
  check_killed_run(shop, options, 10);
  for (const char* run : {"whole", "killed"}) {
    const std::vector<io::Path> files = cli::EventFile::find(shop / run);
    REQUIRE(files.size() == 1);
    CHECK(io::read_tf_records(io::read_file(files.front())).ends.size() == 1 + 2 + 4);
  }
}

TEST_CASE("with --save-every a killed run goes on within the epoch") {
  const Workshop shop(192);
  const std::vector<std::string> options{"--model", "fashion_cnn", "--epochs", "8", "--save-every", "1"};
  REQUIRE(Child(shop.training("whole", options)).wait() == 0);
  bool within = false;
  for (int attempt = 0; attempt < 50 && !within; ++attempt) {
    std::filesystem::remove_all(shop / "killed");
    Child child(shop.training("killed", options));
    for (int i = 0; i < 5000 && !shop.exists("killed/float.safetensors"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const bool killed = child.kill_after(std::chrono::milliseconds(5 + 3 * attempt));
    if (!shop.exists("killed/float.safetensors")) continue;
    const Checkpoint checkpoint = read_checkpoint(shop / "killed/float.safetensors");
    within = killed && checkpoint.progress.contains("epoch_sums");
    if (!within) continue;
    CHECK(checkpoint.step > 6 * checkpoint.epoch);
    CHECK(checkpoint.step < 6 * checkpoint.epoch + 6);
  }
  REQUIRE(within);
  REQUIRE(Child(resuming(shop.training("killed", options))).wait() == 0);
  for (const char* file : {"/float.safetensors", "/graph/graph.npz", "/graph/graph.json"})
    CHECK(shop.bytes(std::string("whole") + file) == shop.bytes(std::string("killed") + file));
}

TEST_CASE("Ctrl-C ends after the step with everything saved, and --resume continues to the byte") {
  const Workshop shop(192);
  REQUIRE(Child(shop.training("whole", support::w4a4)).wait() == 0);
  int interruptions = 0, status = 1;
  for (int attempt = 0; attempt < 40; ++attempt) {
    Child child(going_on(shop, "stopped", support::w4a4));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 10 * attempt));
    child.interrupt();
    status = child.wait();
    if (status == 0) break;
    if (WIFEXITED(status)) CHECK(WEXITSTATUS(status) == 130);
    if (WIFEXITED(status) && shop.exists("stopped/float.safetensors")) ++interruptions;
  }
  if (status != 0) REQUIRE(Child(going_on(shop, "stopped", support::w4a4)).wait() == 0);
  CHECK(interruptions > 0);
  check_same_run(shop, "whole", "stopped");
}

TEST_CASE("patience ends a stage, and --best results in its best epoch, also after a resume") {
  const Workshop shop(64);
  const std::vector<std::string> options{"--model",    "mlp", "--epochs", "12",         "--lr",    "0.05",
                                         "--patience", "2",   "--best",   "--schedule", "constant"};
  REQUIRE(shop.train("run", options).code == 0);
  // From metrics.csv alone: the epoch that was the best when two more had not been better.
  std::istringstream lines(shop.text("run/metrics.csv"));
  std::string line;
  std::getline(lines, line);
  double best = -1;
  int epochs = 0, best_epoch = 0;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    ++epochs;
    CHECK(epochs - 1 - best_epoch < 2 + (best_epoch == 0 ? 1 : 0));
    if (const double accuracy = std::stod(row[4]); accuracy > best) {
      best = accuracy;
      best_epoch = epochs;
    }
  }
  CHECK(epochs == best_epoch + 2);
  CHECK(epochs < 12);
  CHECK(read_checkpoint(shop / "run/float-best.safetensors").epoch == best_epoch);
  CHECK(read_checkpoint(shop / "run/float.safetensors").epoch == epochs);
  const auto report = nlohmann::json::parse(shop.text("run/report.json"));
  CHECK(report["float_accuracy"].get<double>() == Approx(best).epsilon(1e-4));

  const auto graph = shop.bytes("run/graph/graph.npz");
  const Outcome again = support::run_cli(resuming(shop.training("run", options)));
  CHECK(again.code == 0);
  CHECK_THAT(again.out, !Contains("epoch"));
  CHECK(shop.bytes("run/graph/graph.npz") == graph);
  CHECK(support::run_cli(shop.training("run", plus(options, {"--patience", "-1"}))).code == 2);
}

TEST_CASE("train --resume without the quantizers of the run is refused") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const Outcome outcome = support::run_cli(
      resuming(shop.training("run", {"--weights", "none", "--activations", "none", "--qat-epochs", "0"})));
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("--weights is \"lsq:4\" there and \"none\" here"));
  // Without the run's options there is its checkpoint.
  std::filesystem::remove(shop / "run/run.json");
  const Outcome checkpoint = support::run_cli(
      resuming(shop.training("run", {"--model", "fashion_cnn", "--weights", "none", "--activations", "none"})));
  CHECK(checkpoint.code == 2);
  CHECK_THAT(checkpoint.err, Contains("quantized.safetensors belongs to a run with quantizers"));
}

TEST_CASE("train --resume needs the directory alone") {
  const Workshop shop(96);
  const std::vector<std::string> options =
      plus(support::w4a4, {"--seed", "5", "--augment", "flip", "--save-every", "1", "--lr", "0.01"});
  REQUIRE(Child(shop.training("whole", options)).wait() == 0);
  Child child(shop.training("stopped", options));
  for (int i = 0; i < 5000 && !shop.exists("stopped/float.safetensors"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  child.interrupt();
  child.wait();
  const std::string configuration = shop.text("stopped/run.json");
  const Outcome outcome = support::run_cli({"train", "--out", shop.path("stopped"), "--resume"});
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(shop.text("stopped/run.json") == configuration);
  check_same_run(shop, "whole", "stopped");
  // What is typed still counts, and is refused where the run began with something else.
  const Outcome other = support::run_cli({"train", "--out", shop.path("stopped"), "--resume", "--seed", "6"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("other options: --seed is 5 there and 6 here\n"));
  // What decides no numbers may differ.
  CHECK(support::run_cli({"train", "--out", shop.path("stopped") + "/", "--resume", "--threads", "1", "--save-every",
                          "7", "--tensorboard"})
            .code == 0);
  check_same_run(shop, "whole", "stopped");
}

TEST_CASE("a run that was stopped in its float stage goes on with the quantizers that it began with") {
  const Workshop shop(96);
  const std::vector<std::string> options = plus(support::w4a4, {"--epochs", "4000"});
  Child child(shop.training("run", options));
  REQUIRE(support::wait_until([&] { return shop.exists("run/float.safetensors"); }));
  child.interrupt();
  REQUIRE(WEXITSTATUS(child.wait()) == 130);
  REQUIRE_FALSE(shop.exists("run/quantized.safetensors"));
  const std::string configuration = shop.text("run/run.json");
  const auto checkpoint = shop.bytes("run/float.safetensors");
  const auto refused = [&](const std::vector<std::string>& more, const std::string& reason) {
    const Outcome outcome = support::run_cli(plus({"train", "--out", shop.path("run"), "--resume"}, more));
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("--resume: the run in " + shop.path("run") + " has other options: " + reason));
    CHECK(shop.text("run/run.json") == configuration);
    CHECK(shop.bytes("run/float.safetensors") == checkpoint);
  };
  refused({"--weights", "lsq:2"}, "--weights is \"lsq:4\" there and \"lsq:2\" here");
  refused({"--qat-epochs", "1", "--calibration", "32"},
          "--qat-epochs is 3 there and 1 here, --calibration is 64 there and 32 here");
  io::write_file_atomically(
      shop / "bits.json",
      std::string_view(R"({"format": "bitgrad.bits", "version": 1, "rules": [{"layer": "conv2", "weights": 3}]})"));
  refused({"--bits", shop.path("bits.json")}, R"(--bits is not given there and {"format":"bitgrad.bits")");
  // The same from a file: what it says, and what it no longer says.
  auto file = nlohmann::json::parse(configuration);
  file["activations"] = "lsq:8";
  io::write_file_atomically(shop / "other.json", file.dump());
  refused({"--config", shop.path("other.json")}, "--activations is \"lsq:4\" there and \"lsq:8\" here");
  file["activations"] = "lsq:4";
  file.erase("calibration");
  io::write_file_atomically(shop / "other.json", file.dump());
  refused({"--config", shop.path("other.json")}, "--calibration is 64 there and 512 here");
}

TEST_CASE("a finished float run is not quantized by a resume, which says what does it") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const std::string configuration = shop.text("run/run.json");
  const Outcome outcome =
      support::run_cli({"train", "--out", shop.path("run"), "--resume", "--weights", "lsq:4", "--qat-epochs", "1"});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("--weights is \"none\" there and \"lsq:4\" here") &&
                              Contains("to quantize what it trained, start from it in another directory: --from " +
                                       shop.path("run") + " --out DIR"));
  CHECK(shop.text("run/run.json") == configuration);
  CHECK_FALSE(shop.exists("run/quantized.safetensors"));
}

TEST_CASE("paths of data and starting weights may change, their content may not") {
  const Workshop shop(64);
  REQUIRE(shop.train("start", {"--model", "mlp", "--epochs", "1"}).code == 0);
  REQUIRE(shop.train("run", {"--from", shop.path("start/float.safetensors"), "--epochs", "1"}).code == 0);
  std::filesystem::rename(shop / "start", shop / "moved");
  std::filesystem::rename(shop / "data", shop / "elsewhere");
  const auto resume = [&](const std::string& data, const std::string& from) {
    return support::run_cli(
        {"train", "--out", shop.path("run"), "--resume", "--data", shop.path(data), "--from", shop.path(from)});
  };
  CHECK(resume("elsewhere", "moved/float.safetensors").code == 0);
  support::write_tiny_data(shop / "other", 80, 8);
  const Outcome other = resume("other", "moved/float.safetensors");
  CHECK(other.code == 1);
  CHECK_THAT(other.err, Contains("made with other training images"));
  // Before the first checkpoint nothing has come of the old data: the run has the new ones from here on.
  std::filesystem::remove(shop / "run/float.safetensors");
  CHECK(resume("other", "moved/float.safetensors").code == 0);
  CHECK(nlohmann::json::parse(shop.text("run/run.json"))["data"] == shop.path("other"));
}

TEST_CASE("train --resume goes from the float stage into the quantized one") {
  const Workshop shop(96);
  REQUIRE(shop.train("whole", support::w4a4).code == 0);
  // What a run leaves that is killed after its float stage and a row of metrics, before the quantized checkpoint.
  std::filesystem::create_directory(shop / "stopped");
  std::filesystem::copy(shop / "whole/float.safetensors", shop / "stopped/float.safetensors");
  std::filesystem::copy(shop / "whole/metrics.csv", shop / "stopped/metrics.csv");
  const Outcome outcome = support::run_cli(resuming(shop.training("stopped", support::w4a4)));
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, !Contains("float epoch") && Contains("quantized epoch 1/3"));
  check_same_run(shop, "whole", "stopped");
}

TEST_CASE("train --resume of a finished run says what came of it, and writes nothing") {
  const Workshop shop(96);
  const Outcome first = shop.train("run", support::w4a4);
  REQUIRE(first.code == 0);
  REQUIRE(shop.train("other", support::w4a4).code == 0);
  const std::string report = shop.path("run/report.json");
  const auto written = std::filesystem::last_write_time(report);
  const Outcome outcome = support::run_cli(resuming(shop.training("run", support::w4a4)));
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, !Contains("epoch") && Contains("float accuracy"));
  const std::string before = "finished before; ";
  REQUIRE_THAT(outcome.out, StartsWith(before));
  CHECK_THAT(first.out, Contains(outcome.out.substr(before.size())));
  CHECK(std::filesystem::last_write_time(report) == written);
  check_same_run(shop, "run", "other");

  // The page comes last: without it the run is not finished.
  std::filesystem::remove(shop.path("run/report.html"));
  CHECK(support::run_cli(resuming(shop.training("run", support::w4a4))).code == 0);
  CHECK(std::filesystem::exists(shop.path("run/report.html")));
  CHECK(std::filesystem::last_write_time(report) != written);
}

TEST_CASE("what a killed process has half-written goes away with the next run there, and nothing else does") {
  const Workshop shop(64);
  const std::vector<std::string> options{"--model", "mlp", "--epochs", "1"};
  REQUIRE(shop.train("run", options).code == 0);
  // No process has a number as high; this one is alive.
  const std::vector<std::string> abandoned{"metrics.csv.99999999.4.tmp", "float.safetensors.99999998.0.tmp",
                                           "graph/graph.npz.99999997.1.tmp"};
  const std::vector<std::string> others{"notes.tmp", "metrics.csv.tmp", "metrics.csv.a.1.tmp",
                                        "mine.csv.99999999.4.tmp", message("report.html.", ::getpid(), ".999.tmp")};
  for (const char* how : {"--resume", "--replace"}) {
    INFO(how);
    for (const auto* files : {&abandoned, &others})
      for (const std::string& file : *files) io::write_file_atomically(shop / ("run/" + file), std::string_view("x"));
    REQUIRE(shop.train("run", plus(options, {how})).code == 0);
    for (const std::string& file : abandoned) CHECK_FALSE(shop.exists("run/" + file));
    for (const std::string& file : others) CHECK(shop.exists("run/" + file));
  }
}

TEST_CASE("a run whose codes differed is verified again by --resume") {
  const Workshop shop(96);
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  std::string report = io::read_text_file(shop.path("run/report.json"));
  const std::string none = "\"differing_codes\": 0";
  const std::size_t at = report.find(none);
  REQUIRE(at != std::string::npos);
  report.replace(at, none.size(), "\"differing_codes\": 3");
  io::write_file_atomically(shop.path("run/report.json"), std::string_view(report));
  CHECK(support::run_cli(resuming(shop.training("run", support::w4a4))).code == 0);
  CHECK_THAT(io::read_text_file(shop.path("run/report.json")), Contains(none));
}

TEST_CASE("train --resume refuses a run with other options, another model or a broken checkpoint") {
  const Workshop shop(64);
  const std::vector<std::string> mlp{"--model", "mlp", "--epochs", "1"};
  REQUIRE(shop.train("run", mlp).code == 0);
  const auto resume = [&](const std::vector<std::string>& options) {
    return support::run_cli(resuming(shop.training("run", options)));
  };

  const Outcome early = resume({"--model", "fashion_cnn", "--epochs", "1"});
  CHECK(early.code == 2);
  CHECK_THAT(early.err, Contains("--model is \"mlp\" there and \"fashion_cnn\" here"));
  std::filesystem::remove(shop / "run/run.json");  // as a sweep hands a float model over: the checkpoint says it all
  const Outcome options = resume({"--model", "mlp", "--epochs", "2", "--seed", "3"});
  CHECK(options.code == 1);
  CHECK_THAT(options.err, Contains("float.safetensors: made with other options: ") &&
                              Contains("float/epochs is 1 there and 2 here") &&
                              Contains("float/seed is 1 there and 3 here"));
  std::filesystem::remove(shop / "run/run.json");
  const Outcome model = resume({"--model", "fashion_cnn", "--epochs", "1"});
  CHECK(model.code == 1);
  CHECK_THAT(model.err, Contains("checkpoint of model \"mlp\", expected \"fashion_cnn\""));
  std::filesystem::remove(shop / "run/run.json");
  const Outcome data = resume({"--model", "mlp", "--epochs", "1", "--limit", "32"});
  CHECK_THAT(data.err, Contains("made with other training images than those of --data "));
  std::filesystem::remove(shop / "run/run.json");
  std::filesystem::resize_file(shop / "run/float.safetensors", 1000);
  const Outcome truncated = resume(mlp);
  CHECK(truncated.code == 1);
  CHECK_THAT(truncated.err, Contains("float.safetensors"));
}

TEST_CASE("train --resume refuses starting weights that are not those it began with") {
  const Workshop shop(64);
  const std::vector<std::string> mlp{"--model", "mlp", "--epochs", "1"};
  REQUIRE(shop.train("start", mlp).code == 0);
  const std::string start = shop.path("start/float.safetensors");
  REQUIRE(shop.train("run", {"--from", start, "--epochs", "1"}).code == 0);
  REQUIRE(shop.train("start", plus(mlp, {"--seed", "2", "--replace"})).code == 0);
  const Outcome other = support::run_cli({"train", "--out", shop.path("run"), "--resume"});
  CHECK(other.code == 1);
  CHECK_THAT(other.err, Contains("float.safetensors: made from other weights than those of --from " + start));
}

TEST_CASE("a disk that is full stops the run, and leaves the last good checkpoint and no temporary file") {
  const Workshop shop(64);
  const std::vector<std::string> mlp{"--model", "mlp", "--epochs", "4000"};
  const auto on_a_full_disk = [&](const std::vector<std::string>& arguments) {
    std::string command = "ulimit -f 150; trap '' XFSZ; exec '" BITGRAD_PROGRAM "'";
    for (const std::string& argument : arguments) command += " '" + argument + "'";
    command += " > /dev/null 2> '" + shop.path("message") + "'";
    const int status = std::system(command.c_str());
    CHECK(WEXITSTATUS(status) == 1);
    CHECK_THAT(shop.text("message"),
               Contains("bitgrad: error: ") && Contains("float.safetensors") && Contains("File too large"));
    for (const auto& entry : std::filesystem::directory_iterator(shop / "run")) {
      const std::string name = entry.path().filename();
      CHECK((name == "float.safetensors" || name == "metrics.csv" || name == "run.json"));
    }
  };
  Child child(shop.training("run", mlp));
  REQUIRE(support::wait_until([&] { return shop.exists("run/float.safetensors"); }));
  child.interrupt();
  REQUIRE(WEXITSTATUS(child.wait()) == 130);
  const auto before = shop.bytes("run/float.safetensors");
  on_a_full_disk({"train", "--out", shop.path("run"), "--resume"});
  CHECK(shop.bytes("run/float.safetensors") == before);
  // A run that replaces another has nothing to leave yet, and goes on when there is room.
  on_a_full_disk(shop.training("run", {"--model", "mlp", "--epochs", "1", "--replace"}));
  CHECK_FALSE(shop.exists("run/float.safetensors"));
  CHECK(support::run_cli({"train", "--out", shop.path("run"), "--resume"}).code == 0);
}

TEST_CASE("what --replace deletes, it deletes in an order in which the old run can go on at any moment, or is gone") {
  const Workshop shop(64);
  const std::vector<std::string> options =
      plus(support::w4a4, {"--epochs", "2", "--qat-epochs", "1", "--best", "--tensorboard"});
  REQUIRE(shop.train("whole", options).code == 0);
  REQUIRE(support::run_cli({"sensitivity", shop.path("whole"), "--bits", "8"}).code == 0);
  const std::vector<io::Path> files = cli::RunDirectory{shop / "whole"}.files();
  REQUIRE(files.size() == 13);
  for (const io::Path& file : files) CHECK(std::filesystem::exists(file));
  for (std::size_t removed = 1; removed <= files.size(); ++removed) {
    INFO(removed << " removed, the last is " << files[removed - 1]);
    std::filesystem::copy(shop / "whole", shop / "killed", std::filesystem::copy_options::recursive);
    const std::vector<io::Path> copied = cli::RunDirectory{shop / "killed"}.files();
    for (std::size_t i = 0; i < removed; ++i) std::filesystem::remove(copied[i]);
    if (cli::RunDirectory{shop / "killed"}.holds_run()) {
      const Outcome outcome = support::run_cli({"train", "--out", shop.path("killed"), "--resume"});
      CHECK(outcome.err == "");
      CHECK(outcome.code == 0);
      check_same_run(shop, "whole", "killed");
    } else {
      CHECK(std::filesystem::is_empty(shop / "killed"));
    }
    std::filesystem::remove_all(shop / "killed");
  }
  cli::RunDirectory{shop / "whole"}.clear();
  CHECK(std::filesystem::is_empty(shop / "whole"));
}

TEST_CASE("a resume is refused where there is no run, and nothing is made there") {
  const Workshop shop(16, 8);
  const std::vector<std::string> mlp{"--model", "mlp", "--epochs", "1"};
  const Outcome missing = support::run_cli(resuming(shop.training("mistyped", mlp)));
  CHECK(missing.code == 2);
  CHECK_THAT(missing.err, Contains("--resume: " + shop.path("mistyped") + " does not exist"));
  CHECK_FALSE(shop.exists("mistyped"));
  const Outcome other = support::run_cli(resuming(shop.training("data", mlp)));
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("--resume: " + shop.path("data") + " holds no run"));
  CHECK_FALSE(shop.exists("data/run.json"));

  // A run that was killed before its first checkpoint has its configuration, and goes on from the start.
  REQUIRE(shop.train("run", mlp).code == 0);
  const auto whole = shop.bytes("run/float.safetensors");
  for (const char* file : {"float.safetensors", "metrics.csv", "report.json"})
    std::filesystem::remove(shop / "run" / file);
  const Outcome begun = support::run_cli(resuming(shop.training("run", mlp)));
  CHECK(begun.code == 0);
  CHECK(shop.bytes("run/float.safetensors") == whole);
}

TEST_CASE("two processes never train in one directory") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const auto before = shop.bytes("run/float.safetensors");
  {
    const cli::RunLock other({shop / "run"});
    const Outcome refused = shop.train("run", {"--model", "mlp", "--epochs", "2", "--replace"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("another process is training there"));
    CHECK(shop.bytes("run/float.safetensors") == before);
  }
  CHECK(shop.train("run", {"--model", "mlp", "--epochs", "1", "--resume"}).code == 0);
}

TEST_CASE("a run does not clear the checkpoint that it starts from") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const Outcome refused =
      shop.train("run", {"--from", shop.path("run/float.safetensors"), "--weights", "lsq:4", "--replace"});
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("lies in --out"));
  CHECK(shop.exists("run/report.json"));
}
