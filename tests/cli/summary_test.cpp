#include <catch2/catch.hpp>

#include <bitgrad/layers/models/models.hpp>
#include "support.hpp"

using Catch::Matchers::Contains;
using support::run_cli;

namespace {

/// The cells of the line that starts with this word.
std::vector<std::string> line_of(const std::string& text, const std::string& first) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> cells;
    for (std::string word; words >> word;) cells.push_back(word);
    if (!cells.empty() && cells.front() == first) return cells;
  }
  return {};
}

}  // namespace

TEST_CASE("summary lists every layer and what it costs") {
  const support::Outcome outcome = run_cli({"summary", "lenet5"});
  REQUIRE(outcome.code == 0);
  CHECK(line_of(outcome.out, "input") == std::vector<std::string>{"input", "(28,", "28,", "1)"});
  // 16 kernels of 5x5x6 and their biases, at 10x10 positions
  CHECK(line_of(outcome.out, "conv2") ==
        std::vector<std::string>{"conv2", "Conv2D", "(10,", "10,", "16)", "2416", "240000", "9664", "32"});
  CHECK(line_of(outcome.out, "pool1").size() == 5);  // no weights: nothing behind the shape
  CHECK(line_of(outcome.out, "total") == std::vector<std::string>{"total", "(10)", "61706", "416520", "246824"});
}

TEST_CASE("summary counts a depthwise kernel once per channel") {
  const support::Outcome outcome = run_cli({"summary", "ds_cnn", "--classes", "12"});
  REQUIRE(outcome.code == 0);
  // 64 kernels of 3x3 and their biases, at 25x5 positions
  CHECK(line_of(outcome.out, "block1/depthwise1") == std::vector<std::string>{"block1/depthwise1", "DepthwiseConv2D",
                                                                              "(25,", "5,", "64)", "640", "72000",
                                                                              "2560", "32"});
  CHECK(line_of(outcome.out, "total") == std::vector<std::string>{"total", "(12)", "23756", "2656768", "95024"});
}

TEST_CASE("summary takes other images, classes and widths") {
  const support::Outcome outcome = run_cli({"summary", "--input", "4,5,3", "mlp", "--classes", "7", "--width", "2"});
  REQUIRE(outcome.code == 0);
  const int parameters = 60 * 256 + 256 + 256 * 128 + 128 + 128 * 7 + 7, macs = 60 * 256 + 256 * 128 + 128 * 7;
  CHECK(line_of(outcome.out, "total") == std::vector<std::string>{"total", "(7)", std::to_string(parameters),
                                                                  std::to_string(macs),
                                                                  std::to_string(4 * parameters)});
}

TEST_CASE("summary of a checkpoint counts kernels at their bits") {
  const support::Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--qat-epochs", "1", "--weights", "lsq:2",
                             "--activations", "lsq:4"})
              .code == 0);
  const support::Outcome outcome = run_cli({"summary", shop.path("run/quantized.safetensors")});
  REQUIRE(outcome.code == 0);
  // the layer in the middle: 128 x 64 codes of 2 bits, 64 biases
  CHECK(line_of(outcome.out, "dense2") ==
        std::vector<std::string>{"dense2", "Dense", "(64)", "8256", "8192", std::to_string(8192 / 4 + 64 * 4), "2"});
  CHECK(line_of(run_cli({"summary", shop.path("run/float.safetensors")}).out, "dense2").back() == "32");
}

TEST_CASE("summary of a checkpoint counts depthwise kernels at their bits") {
  const support::Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "ds_cnn", "--epochs", "0", "--qat-epochs", "1", "--weights", "lsq:2",
                             "--activations", "lsq:4"})
              .code == 0);
  const support::Outcome outcome = run_cli({"summary", shop.path("run/quantized.safetensors")});
  REQUIRE(outcome.code == 0);
  // 64 kernels of 3x3 codes of 2 bits and 64 biases, at 4x4 positions
  CHECK(line_of(outcome.out, "block1/depthwise1") ==
        std::vector<std::string>{"block1/depthwise1", "DepthwiseConv2D", "(4,", "4,", "64)", "640",
                                 std::to_string(576 * 16), std::to_string(576 / 4 + 64 * 4), "2"});
}

TEST_CASE("summary knows every model, and the autoencoder too") {
  for (const std::string& name : bitgrad::models::names()) {
    INFO(name);
    CHECK(run_cli({"summary", name}).code == 0);
  }
  const support::Outcome outcome = run_cli({"summary", "autoencoder"});
  REQUIRE(outcome.code == 0);
  CHECK(line_of(outcome.out, "input") == std::vector<std::string>{"input", "(640)"});
  const int macs = 640 * 128 + 3 * 128 * 128 + 2 * 128 * 8 + 3 * 128 * 128 + 128 * 640;
  CHECK(line_of(outcome.out, "total") ==
        std::vector<std::string>{"total", "(640)", "267928", std::to_string(macs), std::to_string(4 * 267928)});
  CHECK(line_of(run_cli({"summary", "autoencoder", "--input", "10", "--width", "2"}).out, "dense1") ==
        std::vector<std::string>{"dense1", "Dense", "(256)", "2816", "2560", "11264", "32"});
  CHECK_THAT(run_cli({"summary", "autoencoder", "--classes", "3"}).err,
             Contains("--classes has no effect without a model with classes"));
  CHECK_THAT(run_cli({"summary", "--help"}).out, Contains("; also autoencoder"));
  CHECK_THAT(run_cli({"train", "--model", "autoencoder", "--out", "x"}).err,
             Contains("model autoencoder has no classes: it is trained from C++, see examples/training_loop.cpp"));
}

TEST_CASE("summary of a run is that of the last stage it has come to") {
  const support::Workshop shop(32);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--weights", "lsq:2"}).code == 0);
  CHECK(run_cli({"summary", shop.path("run")}).out == run_cli({"summary", shop.path("run/quantized.safetensors")}).out);
  std::filesystem::remove(shop / "run/quantized.safetensors");
  CHECK(run_cli({"summary", shop.path("run")}).out == run_cli({"summary", shop.path("run/float.safetensors")}).out);
  CHECK_THAT(run_cli({"summary", shop.path("data")}).err, Contains("holds no run of bitgrad train"));
}

TEST_CASE("summary says what is wrong") {
  CHECK_THAT(run_cli({"summary", "autoencodr"}).err, Contains("did you mean \"autoencoder\"?"));
  CHECK_THAT(run_cli({"summary", "autoencoder:2"}).err, Contains("its width by --width"));
  CHECK_THAT(run_cli({"summary", "mobilenet_v1:0.5"}).err, Contains("a whole number"));
  CHECK_THAT(run_cli({"summary", "mlp", "--input", "28x28"}).err,
             Contains("--input 28x28: \"28x28\" is no extent; expected H,W,C"));
  for (const char* input : {"", "28,28,", "28,0", "1,2,3,4"}) {
    INFO(input);
    CHECK_THAT(run_cli({"summary", "mlp", "--input", input}).err,
               Contains(std::string("--input ") + input + ": ") && Contains("H,W,C"));
  }
  CHECK_THAT(run_cli({"summary", "resnet"}).err, Contains("unknown model \"resnet\" (did you mean \"resnet8\""));
  CHECK(run_cli({"summary", "resnet"}).code == 2);
  CHECK_THAT(run_cli({"summary", "lenet5", "--input", "8,8,1"}).err, Contains("layer \"conv2\" (Conv2D)"));
  CHECK_THAT(run_cli({"summary", "none.safetensors"}).err, Contains("none.safetensors"));
  CHECK_THAT(run_cli({"summary", "none.safetensors", "--input", "8,8,1"}).err,
             Contains("--input has no effect without a model by name"));
}
