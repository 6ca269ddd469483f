// Runs the program's subcommands inside the test, and the program itself beside it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <bitgrad/cli/cli.hpp>
#include <bitgrad/core/io/file.hpp>
#include "support/temporary_directory.hpp"
#include "support/tiny_data.hpp"

namespace support {

struct Outcome {
  int code = 0;
  std::string out, err;
};

/// bitgrad::cli::run with these arguments and captured streams.
inline Outcome run_cli(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"bitgrad"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out, err;
  std::streambuf* const real_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const real_err = std::cerr.rdbuf(err.rdbuf());
  const int code = bitgrad::cli::run(static_cast<int>(argv.size()), argv.data());
  std::cout.rdbuf(real_out);
  std::cerr.rdbuf(real_err);
  return {code, out.str(), err.str()};
}

/// A directory with a tiny data set in "data", and the arguments that train on it.
class Workshop {
 public:
  explicit Workshop(int training = 128, int testing = 40) { write_tiny_data(directory_ / "data", training, testing); }

  std::filesystem::path operator/(const std::string& name) const { return directory_ / name; }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  /// `train --data ... --out NAME`, small batches, few images for calibration, two threads, and what else is asked for.
  std::vector<std::string> training(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train", "--data", path("data"), "--out", path(out), "--threads", "2"};
    if (trains(more)) arguments.insert(arguments.end(), {"--batch", "32"});
    const auto asks_for_quantizers = [](const std::string& argument) {
      return argument == "--weights" || argument == "--activations" || argument == "--qat-epochs" ||
             argument == "--bits" || argument == "--gradual";
    };
    const bool quantizes =
        std::ranges::any_of(more, asks_for_quantizers) && std::ranges::find(more, "none") == more.end();
    if (quantizes) arguments.insert(arguments.end(), {"--calibration", "64"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// Whether these options train, rather than calibrate or convert what is there.
  static bool trains(const std::vector<std::string>& options) {
    const auto has = [&](const char* option) { return std::ranges::find(options, option) != options.end(); };
    if (has("--qat-epochs") || has("--gradual")) return true;
    const auto epochs = std::ranges::find(options, "--epochs");
    return epochs == options.end() ? !has("--from") && !has("--init") : *std::next(epochs) != "0";
  }
  Outcome train(const std::string& out, const std::vector<std::string>& more = {}) const {
    return run_cli(training(out, more));
  }

  bitgrad::io::Bytes bytes(const std::string& name) const { return bitgrad::io::read_file(directory_ / name); }
  std::string text(const std::string& name) const { return bitgrad::io::read_text_file(directory_ / name); }
  bool exists(const std::string& name) const { return std::filesystem::exists(directory_ / name); }

 private:
  TemporaryDirectory directory_;
};

inline std::vector<std::string> plus(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The first two columns of metrics.csv.
inline std::vector<std::string> metrics_rows(const Workshop& shop, const std::string& run) {
  std::istringstream lines(shop.text(run + "/metrics.csv"));
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(line.substr(0, line.find(',', line.find(',') + 1)));
  return rows;
}

inline const std::vector<std::string> w4a4{"--model",   "fashion_cnn", "--epochs",      "2",    "--qat-epochs", "3",
                                           "--weights", "lsq:4",       "--activations", "lsq:4"};

}  // namespace support
