// Help, versions and arguments that are wrong.
#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

#include <bitgrad/quantizers/registry.hpp>
#include "support.hpp"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using support::Outcome;
using support::run_cli;

namespace {

/// One line on stderr, nothing on stdout.
template <class Matcher>
void check_error(const Outcome& outcome, int code, const Matcher& matcher) {
  CHECK(outcome.code == code);
  CHECK(outcome.out.empty());
  CHECK_THAT(outcome.err, StartsWith("bitgrad: error: "));
  CHECK(std::ranges::count(outcome.err, '\n') == 1);
  CHECK_THAT(outcome.err, matcher);
}

}  // namespace

TEST_CASE("the program tells its version and helps") {
  const Outcome version = run_cli({"--version"});
  CHECK(version.code == 0);
  CHECK_THAT(version.out, StartsWith("bitgrad 0."));
  const Outcome help = run_cli({"--help"});
  CHECK(help.code == 0);
  for (const char* command :
       {"train", "data", "lr-range", "verify", "infer", "table", "golden", "bench", "check", "quantizers"}) {
    CHECK_THAT(help.out, Contains(command));
    const Outcome own = run_cli({command, "--help"});
    CHECK(own.code == 0);
    CHECK(own.err.empty());
    CHECK_THAT(own.out, Contains("Examples:") && Contains(std::string("bitgrad ") + command));
  }
}

TEST_CASE("every command's help has one layout") {
  const std::string program = run_cli({"--help"}).out;
  std::vector<std::vector<std::string>> commands{
      {}, {"bench", "train"}, {"bench", "infer"}, {"bench", "kernels"}, {"bench", "scale"}};
  std::istringstream list(program.substr(program.find("\nSubcommands:\n") + 14));
  for (std::string line; std::getline(list, line) && !line.empty();)
    commands.push_back({line.substr(2, line.find(' ', 2) - 2)});
  CHECK(commands.size() > 5 + 12);
  for (std::vector<std::string> command : commands) {
    std::string name = "bitgrad";
    for (const std::string& word : command) name += ' ' + word;
    INFO(name);
    command.emplace_back("--help");
    const std::string help = run_cli(command).out;
    CHECK_THAT(help, Contains("\n\nUsage: " + name) && Contains(" [options]\n") && Contains("\nOptions:\n") &&
                         Contains("\n  -h, --help") && Contains("\n\nExamples:\n"));
    // What the parser would write.
    for (const char* artefact : {"\n\n\n", "[OPTIONS]", " TEXT", "REQUIRED", "INT in", "NONNEGATIVE", "] ..."})
      CHECK_THAT(help, !Contains(artefact));
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      if (line.starts_with("  -")) CHECK_THAT(line, !Contains("=["));
      CHECK(line.size() <= 120);
      CHECK(!line.ends_with(' '));
    }
  }
  CHECK_THAT(run_cli({"infer", "--help"}).out, Contains("Usage: bitgrad infer DIR --input X.npy [options]\n") &&
                                                   Contains("\n  --engine NAME ") && Contains("(default: float)") &&
                                                   Contains("\n  --input X.npy             Images (required)\n"));
  CHECK_THAT(run_cli({"table", "--help"}).out, Contains("Usage: bitgrad table RUN_DIR... [options]\n"));
  CHECK_THAT(run_cli({"sensitivity", "--help"}).out, Contains("\n  --bits N,...") && Contains("(default: 2,3,4,6,8)"));
}

TEST_CASE("options without effect are refused when they are typed, and taken from a file") {
  const support::Workshop shop(32, 8);
  const auto train = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--model", "mlp"});
    return shop.train("run", more);
  };
  const auto idle = [&](const std::vector<std::string>& more, const std::string& option, const std::string& needs) {
    INFO(option);
    check_error(train(more), 2, StartsWith("bitgrad: error: " + option + " has no effect without " + needs));
  };
  idle({"--momentum", "0.8"}, "--momentum", "--optimizer sgd or rmsprop");
  idle({"--init-layout", "pytorch"}, "--init-layout", "--init");
  idle({"--hold-out-seed", "2"}, "--hold-out-seed", "--hold-out");
  idle({"--epochs", "0", "--qat-epochs", "1", "--lr", "0.1"}, "--lr", "--epochs; with quantizers it is --qat-lr");
  idle({"--qat-lr", "0.1"}, "--qat-lr", "--qat-epochs");
  idle({"--weights", "lsq:4", "--qparams-rate", "2"}, "--qparams-rate", "--qat-epochs");
  idle({"--freeze-batch-norm", "1"}, "--freeze-batch-norm", "--qat-epochs");
  idle({"--activation-delay", "1"}, "--activation-delay", "--qat-epochs");
  idle({"--qat-epochs", "1", "--activations", "none", "--activation-delay", "1"}, "--activation-delay",
       "--activations or --bits");
  idle({"--distill", "0.5"}, "--distill", "--qat-epochs");
  idle({"--qat-epochs", "1", "--temperature", "2"}, "--temperature", "--distill");
  idle({"--first-last-bits", "4"}, "--first-last-bits", "quantizers: --weights, --activations or --bits");
  idle({"--calibration", "10"}, "--calibration", "quantizers");
  idle({"--calibration-method", "kl"}, "--calibration-method", "quantizers");
  for (const std::vector<std::string>& option :
       std::vector<std::vector<std::string>>{{"--batch", "8"}, {"--augment", "flip"}, {"--best"}, {"--ema", "0.9"}}) {
    const std::vector<std::string> calibrating{"train",         "--data", shop.path("data"), "--model", "mlp",
                                               "--epochs",      "0",      "--weights",       "lsq:8",   "--out",
                                               shop.path("run")};
    check_error(run_cli(support::plus(calibrating, option)), 2,
                StartsWith("bitgrad: error: " + option.front() + " has no effect without --epochs or --qat-epochs"));
  }
  CHECK_FALSE(shop.exists("run"));
  bitgrad::io::write_file_atomically(
      shop / "base.json", std::string_view(R"({"momentum": 0.8, "temperature": 2, "qat-lr": 0.1, "epochs": 1})"));
  CHECK(train({"--config", shop.path("base.json")}).code == 0);

  check_error(run_cli({"lr-range", "--data", shop.path("data"), "--model", "mlp", "--momentum", "0.5"}), 2,
              Contains("--momentum has no effect without --optimizer sgd or rmsprop"));
  check_error(run_cli({"summary", "x.safetensors", "--width", "2"}), 2,
              Contains("--width has no effect without a model by name"));
  check_error(run_cli({"bench", "train", "--mode", "float", "--bits", "4"}), 2,
              Contains("--bits has no effect without --mode ste or lsq"));
}

TEST_CASE("the help of train lists the registered quantizers") {
  const Outcome help = run_cli({"train", "--help"});
  CHECK_THAT(help.out, Contains("Quantizers and their grids:") && Contains("\n  lsq") && Contains("\n  mct-ste"));
  CHECK_THAT(help.out, Contains("mct-lsq") && Contains("weights and activations: pot, symmetric, uniform\n"));
  // Whatever is registered by then: the list is not written down anywhere.
  for (const std::string& identifier : bitgrad::trainable_identifiers())
    CHECK_THAT(help.out, Contains("\n  " + identifier + " "));
}

TEST_CASE("check finds a quantizer right, and says what it departs from and refuses") {
  const Outcome right = run_cli({"check", "lsq", "--bits", "2,4"});
  CHECK(right.code == 0);
  CHECK(right.err.empty());
  CHECK_THAT(right.out, StartsWith("lsq: ") && Contains(" quantizers checked: all properties hold"));
  const Outcome reference = run_cli({"check", "mct-lsq", "--bits", "1"});
  CHECK(reference.code == 0);
  CHECK_THAT(reference.out, Contains("  declared ") && Contains("  refused: LSQWeightQATQuantizer: 1 bit signed"));
  check_error(run_cli({"check", "lsk"}), 2, Contains("unknown quantizer \"lsk\" (did you mean \"lsq\""));
  check_error(run_cli({"check", "lsq", "--bits", "17"}), 2, Contains("--bits 17: expected 1 to 16"));
}

TEST_CASE("wrong usage is one line and exit code 2") {
  check_error(run_cli({}), 2, Contains("subcommand"));
  check_error(run_cli({"trian"}), 2, Contains("trian") && Contains("did you mean \"train\""));
  check_error(run_cli({"train", "--model", "mlp", "--out", "x", "--epohcs", "3"}), 2,
              Contains("--epohcs") && Contains("did you mean \"--epochs\""));
  check_error(run_cli({"train", "--model", "mlp"}), 2, Contains("--out"));
  check_error(run_cli({"train", "--model", "mlp", "--out", "x", "--epochs", "three"}), 2,
              Contains("--epochs: \"three\", expected a whole number"));
  const auto refused = [](const char* option, const char* value, const char* expected) {
    check_error(run_cli({"train", "--model", "mlp", "--out", "x", option, value}), 2,
                Contains(std::string(option) + ": \"" + value + "\", expected " + expected));
  };
  refused("--epochs", "2.5", "a whole number");
  refused("--epochs", "9223372036854775808", "a whole number that 64 bits hold");
  refused("--limit", "-99999999999999999999", "a whole number that 64 bits hold");
  refused("--seed", "18446744073709551616", "a whole number that 64 bits hold");
  refused("--lr", "fast", "a number");
  refused("--lr", "nan", "a number");
  refused("--lr", "1e999", "a number that 64 bits hold");
  check_error(run_cli({"train", "--model", "mlp", "--out", "x", "--seed", "-1"}), 2,
              Contains("--seed: -1, expected a whole number, 0 or more"));
  check_error(run_cli({"infer", "x", "--input", "a.npy", "--output", "b.npy", "--engine", "floot"}), 2,
              Contains("unknown engine \"floot\" (did you mean \"float\""));
}

TEST_CASE("unknown names come with the nearest one") {
  const support::Workshop shop(8, 4);
  const auto train = [&](const std::vector<std::string>& more) { return shop.train("run", more); };
  check_error(train({"--model", "lenet"}), 2, Contains("unknown model \"lenet\" (did you mean \"lenet5\""));
  check_error(train({"--model", "mlp", "--weights", "lsk:4"}), 2, Contains("--weights lsk:4: ") && Contains("lsq"));
  check_error(train({"--model", "mlp", "--activations", "dqa:4"}), 2,
              Contains("--activations dqa:4: ") && Contains("\"dqa\": it is one for Weights alone") &&
                  Contains("for Activation there are lsq, lsq-plus, lsq-pot, mct-lsq, mct-ste"));
  check_error(train({"--model", "mlp", "--activations", "lsq:4:symetric"}), 2,
              Contains("--activations") && Contains("symmetric"));
  check_error(train({"--model", "mlp", "--weights", "lsq:17"}), 2, Contains("17"));
  check_error(train({"--model", "mlp", "--weights", "lsq:0"}), 2, Contains("lsq:0"));
  check_error(train({"--model", "mlp", "--optimizer", "adan"}), 2,
              Contains("unknown optimizer \"adan\" (did you mean \"adam\""));
  check_error(train({"--model", "mlp", "--schedule", "cos"}), 2,
              Contains("did you mean \"cosine\"") || Contains("constant"));
  check_error(train({}), 2, Contains("--model is required") && Contains("resnet8"));
  check_error(run_cli({"train", "--data", "fashion-mnits", "--model", "mlp", "--out", shop.path("run")}), 2,
              Contains("unknown data set \"fashion-mnits\" (did you mean \"fashion-mnist\""));
  CHECK_FALSE(shop.exists("run"));
}

TEST_CASE("options out of range are usage errors") {
  const support::Workshop shop(8, 4);
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"--model", "mlp"};
    all.insert(all.end(), more.begin(), more.end());
    return shop.train("run", all);
  };
  // Every option with the name that it was typed with.
  const std::vector<std::string> two_stages{"--qat-epochs", "2", "--distill", "0.5", "--optimizer", "sgd"};
  const auto refused = [&](const std::string& option, const std::string& value, const std::string& expected) {
    INFO(option);
    std::vector<std::string> more = two_stages;
    more.insert(more.end(), {option, value});
    check_error(train(more), 2, StartsWith("bitgrad: error: " + option + " " + value + ": expected " + expected));
  };
  refused("--epochs", "-1", "0 or more");
  refused("--qat-epochs", "-2", "0 or more");
  refused("--lr", "0", "a positive number");
  refused("--qat-lr", "-1", "a positive number");
  refused("--qparams-rate", "-1", "0 or more");
  refused("--batch", "0", "at least 1");
  refused("--accumulate", "0", "at least 1");
  refused("--warmup-epochs", "-1", "0 or more");
  refused("--momentum", "1", "at least 0 and less than 1");
  refused("--weight-decay", "-0.5", "0 or more");
  refused("--gradient-clip", "-1", "0 (no limit) or more");
  refused("--ema", "1.5", "at least 0 (none) and less than 1");
  refused("--label-smoothing", "1", "at least 0 and less than 1");
  refused("--distill", "1.5", "0 to 1");
  refused("--temperature", "0", "0.001 to 1000");
  refused("--activation-delay", "-1", "0 or more epochs");
  refused("--freeze-batch-norm", "3", "0 to the 2 epochs of --qat-epochs");
  check_error(train({"--threads", "257"}), 2, Contains("--threads 257: expected 0 to 256"));
  check_error(train({"--calibration", "0"}), 2, Contains("--calibration 0: expected at least 1"));
  check_error(train({"--first-last-bits", "17"}), 2,
              Contains("--first-last-bits 17: expected 0 (as the others) to 16"));
  check_error(train({"--limit", "-5"}), 2, Contains("--limit -5: expected"));
  check_error(train({"--qat-epochs", "2", "--weights", "none", "--activations", "none"}), 2,
              Contains("nothing to quantize"));
  CHECK_FALSE(shop.exists("run"));
}

TEST_CASE("data that is missing or malformed is exit code 1") {
  const support::Workshop shop(8, 4);
  const auto train = [&](const std::string& data) {
    return run_cli({"train", "--data", shop.path(data), "--model", "mlp", "--out", shop.path("run")});
  };
  check_error(train("nowhere"), 1, Contains("nowhere"));
  std::filesystem::resize_file(shop / "data/train-images-idx3-ubyte", 100);
  check_error(train("data"), 1, Contains("train-images-idx3-ubyte"));
  CHECK_FALSE(shop.exists("run"));
}

TEST_CASE("an image size that the model cannot take") {
  const support::Workshop shop(8, 4);
  check_error(shop.train("run", {"--model", "lenet5"}), 1, Contains("(8, 8, 1)") && Contains("conv2"));
  CHECK_FALSE(shop.exists("run"));
}
