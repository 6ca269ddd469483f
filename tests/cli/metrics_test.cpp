// metrics.csv: what it says, and what it refuses to continue.
#include <catch2/catch.hpp>

#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/core/error.hpp>

#include "support/temporary_directory.hpp"

using namespace bitgrad;
using bitgrad::cli::EpochMetrics;
using bitgrad::cli::MetricsFile;
using Catch::Contains;

namespace {

const std::string header =
    "stage,epoch,train_loss,train_accuracy,test_accuracy,learning_rate,images_per_second,seconds,version\n";

EpochMetrics row(const std::string& stage, std::int64_t epoch) {
  return {stage, epoch, 0.5, 81.25, 80, 0.001, 5000, 12.5};
}

}  // namespace

TEST_CASE("metrics.csv has a row per epoch and the version of its format") {
  const support::TemporaryDirectory directory;
  MetricsFile metrics(directory / "metrics.csv");
  metrics.add(row("float", 1));
  metrics.add(row("quantized", 1));
  CHECK(io::read_text_file(directory / "metrics.csv") ==
        header + "float,1,0.5,81.25,80,0.001,5000,12.5,1\nquantized,1,0.5,81.25,80,0.001,5000,12.5,1\n");
}

TEST_CASE("metrics.csv is read back and loses the rows that a resumed run does again") {
  const support::TemporaryDirectory directory;
  {
    MetricsFile metrics(directory / "metrics.csv");
    for (const int epoch : {1, 2, 3}) metrics.add(row("float", epoch));
    metrics.add(row("quantized", 1));
  }
  MetricsFile metrics(directory / "metrics.csv");
  REQUIRE(metrics.rows().size() == 4);
  CHECK(metrics.rows()[1].epoch == 2);
  CHECK(metrics.rows()[1].seconds == 12.5);
  metrics.resume_after("float", 1);
  REQUIRE(MetricsFile(directory / "metrics.csv").rows().size() == 2);
  CHECK(metrics.rows()[1].stage == "quantized");
}

TEST_CASE("metrics.csv of another version or with a malformed line is refused") {
  const support::TemporaryDirectory directory;
  const auto reading = [&](const std::string& text) {
    io::write_file_atomically(directory / "metrics.csv", text);
    return [&directory] { MetricsFile(directory / "metrics.csv"); };
  };
  CHECK_THROWS_WITH(reading(header + "float,1,0.5,81,80,0.001,5000,12.5,2\n")(),
                    Contains("metrics.csv:2: version 2") && Contains("expected 1"));
  CHECK_THROWS_WITH(reading(header + "float,1,0.5,81,80,0.001,5000,12.5,1\nfloat,2,oops\n")(),
                    Contains("metrics.csv:3: expected stage,epoch") && Contains("found: float,2,oops"));
  CHECK_THROWS_WITH(reading("epoch,loss\n")(),
                    Contains("metrics.csv:1: expected the header") && Contains("epoch,loss"));
}
