// verify, infer and table on runs of a tiny data set.
#include <catch2/catch.hpp>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/qat/inference/graph.hpp>
#include "support.hpp"
#include "support/environment.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::Outcome;
using support::plus;
using support::Workshop;

TEST_CASE("verify compares the run's graph with its model") {
  const Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const auto verify = [&](const std::string& run) {
    return support::run_cli({"verify", shop.path(run), "--data", shop.path("data")});
  };
  const Outcome good = verify("run");
  CHECK(good.err == "");
  CHECK(good.code == 0);
  CHECK_THAT(good.out, Contains("accuracy") && Contains("40 images"));

  // Another run's graph beside this run's checkpoint.
  REQUIRE(shop.train("other",
                     {"--from", shop.path("run/float.safetensors"), "--weights", "lsq:4", "--activations", "lsq:3"})
              .code == 0);
  std::filesystem::remove_all(shop / "run/graph");
  std::filesystem::copy(shop / "other/graph", shop / "run/graph");
  const Outcome bad = verify("run");
  CHECK(bad.code == 1);
  CHECK_THAT(bad.err, Contains("bitgrad: error: ") && Contains(" codes differ"));
  CHECK_THAT(bad.out, Contains("first difference: tensor \"") && Contains(", sample ") && Contains(", channel ") &&
                          Contains(": evaluate gives ") && Contains(", the naive executor ") &&
                          Contains("\nlikely cause: node \""));

  support::write_tiny_data(shop / "larger", 8, 8, 10);
  const Outcome larger = support::run_cli({"verify", shop.path("run"), "--data", shop.path("larger")});
  CHECK(larger.code == 3);
  CHECK_THAT(larger.err, Contains("larger: images of (10, 10, 1), the model takes (8, 8, 1)"));

  const Outcome missing = verify("nowhere");
  CHECK(missing.code == 3);
  CHECK_THAT(missing.err, Contains("nowhere"));
  // Another exit code where data cannot be read than where there can be none of that name.
  const auto with_data = [&](const std::string& data) {
    return support::run_cli({"verify", shop.path("run"), "--data", data});
  };
  const support::Environment no_data("BITGRAD_DATA_DIR", shop.path("empty")),
      no_cache("XDG_CACHE_HOME", shop.path("empty"));
  if (!std::filesystem::exists("/usr/share/datasets/cifar10")) {
    const Outcome absent = with_data("cifar10");
    CHECK(absent.code == 3);
    CHECK_THAT(absent.err, Contains("cifar10"));
  }
  CHECK(with_data("nothing").code == 2);
  io::write_file_atomically(shop / "bad.npz", "no archive");
  CHECK(with_data(shop.path("bad.npz")).code == 3);
  CHECK_THAT(support::run_cli({"verify", shop.path("run"), "--limit", "-3"}).err,
             Contains("--limit -3: expected 0 (all images) or more"));
}

TEST_CASE("verify --modes shows what other roundings change") {
  const support::Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const Outcome outcome = support::run_cli({"verify", shop.path("run"), "--data", shop.path("data"), "--modes"});
  CAPTURE(outcome.err);
  CHECK(outcome.code == 0);
  for (const char* part :
       {"requantization", "other class", "\nort ", "\nxnnpack ", "\ntflm_double ", "\nsingle ", "\ntflite_reference "})
    CHECK_THAT(outcome.out, Contains(part));
}

TEST_CASE("verify --mode compares with the roundings of a mode") {
  const support::Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const auto verify = [&](const std::string& run, const std::string& mode) {
    return support::run_cli({"verify", shop.path(run), "--data", shop.path("data"), "--mode", mode});
  };
  for (const char* mode : {"ort", "xnnpack", "tflm_double"}) {
    const Outcome outcome = verify("run", mode);
    CHECK(outcome.err == "");
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out, Contains(message(" of 40 images, requantization ", mode, "\n")));
    CHECK((outcome.out.find("training forward") != std::string::npos) == (mode == std::string("ort")));
  }
  const Outcome unknown = verify("run", "tflm");
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, Contains("tflm_double"));

  REQUIRE(shop.train("wide", {"--from", shop.path("run/float.safetensors"), "--weights", "lsq:8", "--activations",
                              "lsq:9", "--qat-epochs", "1"})
              .code == 0);
  CHECK(verify("wide", "ort").code == 0);
  const Outcome refused = verify("wide", "single");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("--mode single: ") && Contains("at most 8 bits"));
}

TEST_CASE("verify takes the run's own data, and refuses what there is nothing to compare in") {
  const Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const Outcome own = support::run_cli({"verify", shop.path("run")});
  CHECK(own.err == "");
  CHECK_THAT(own.out, Contains("40 images"));

  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const Outcome nothing = support::run_cli({"verify", shop.path("float")});
  CHECK(nothing.code == 3);
  CHECK_THAT(nothing.err, Contains("no activations are quantized") && Contains("--activations"));

  std::filesystem::remove(shop / "run/quantized.safetensors");
  const Outcome incomplete = support::run_cli({"verify", shop.path("run")});
  CHECK(incomplete.code == 3);
  CHECK_THAT(incomplete.err, Contains("cannot open") && Contains("quantized.safetensors"));
}

TEST_CASE("commands on a run that is not finished say what finishes it") {
  const Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--weights", "lsq:8"}).code == 0);
  std::filesystem::remove(shop / "run/report.json");
  std::filesystem::remove_all(shop / "run/graph");
  const std::string run = shop.path("run"), data = shop.path("data");
  const std::string unfinished =
      run + ": its run is not finished; bitgrad train --out " + run + " --resume finishes it";
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"table"},
                                             {"report"},
                                             {"verify"},
                                             {"sensitivity"},
                                             {"allocate", "--bytes", "1000", "--out", shop.path("bits.json")},
                                             {"export", "--npz", shop.path("x.npz")},
                                             {"infer", "--input", data, "--output", shop.path("y.npy")},
                                             {"bench", "infer", "--run"}}) {
    INFO(command.front());
    CHECK_THAT(support::run_cli(plus(command, {run})).err, Contains(unfinished));
    CHECK_THAT(support::run_cli(plus(command, {data})).err, Contains(data + ": holds no run of bitgrad train, "));
    CHECK_THAT(support::run_cli(plus(command, {run + "2"})).err, Contains(run + "2: no such directory"));
  }
}

TEST_CASE("infer gives the graph's numbers with either engine, from floats and from bytes") {
  const Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const data::Dataset test = support::tiny_dataset(300, 8, 2);  // more than a batch
  const Tensor images = data::to_unit_range(test.images);
  const Tensor expected = InferenceGraph::load(shop.path("run/graph")).run(images);
  io::write_npy(shop / "floats.npy", images);
  io::write_npy(shop / "bytes.npy", test.images);
  io::write_npy(shop / "flat.npy", test.images.reshape({300, 8, 8}));
  const auto infer = [&](const std::string& input, const std::string& engine) {
    return support::run_cli(
        {"infer", shop.path("run"), "--engine", engine, "--input", shop.path(input), "--output", shop.path("y.npy")});
  };
  for (const char* input : {"floats.npy", "bytes.npy", "flat.npy"})
    for (const char* engine : {"float", "integer"}) {
      INFO(input << ' ' << engine);
      const Outcome outcome = infer(input, engine);
      CHECK(outcome.err == "");
      CHECK(outcome.code == 0);
      CHECK(identical(io::read_npy(shop / "y.npy"), expected));
      std::filesystem::remove(shop / "y.npy");
    }

  io::write_npy(shop / "wide.npy", Tensor::zeros({2, 8, 9, 1}));
  const Outcome wide = infer("wide.npy", "float");
  CHECK(wide.code == 1);
  CHECK_THAT(wide.err, Contains("wide.npy: shape (2, 8, 9, 1), the graph takes images of (8, 8, 1)"));
  io::write_npy(shop / "int.npy", Tensor::zeros({2, 8, 8, 1}, DType::int32));
  CHECK_THAT(infer("int.npy", "float").err, Contains("int.npy: dtype is int32, expected float32 or uint8"));
  CHECK_FALSE(shop.exists("y.npy"));
}

TEST_CASE("infer refuses images that are far outside of what the network was trained on") {
  const Workshop shop;
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  Tensor images = support::tiny_dataset(20, 8, 2).images;
  images.span<std::uint8_t>()[0] = 0;
  images.span<std::uint8_t>()[1] = 255;
  const auto infer = [&](const std::string& run, float factor, float offset) {
    Tensor scaled = data::to_unit_range(images).clone();
    for (float& value : scaled.span<float>()) value = value * factor + offset;
    io::write_npy(shop / "x.npy", scaled);
    return support::run_cli({"infer", shop.path(run), "--input", shop.path("x.npy"), "--output", shop.path("y.npy")});
  };
  for (const char* run : {"run", "float"}) {
    INFO(run);
    for (const auto& [factor, offset] : {std::pair{255.0F, 0.0F}, std::pair{2.0F, -1.0F}, std::pair{4.0F, -2.0F}}) {
      const Outcome outcome = infer(run, factor, offset);
      CHECK(outcome.code == 1);
      CHECK_THAT(outcome.err, Contains("x.npy: values from " + message(offset) + " to " + message(factor + offset)) &&
                                  Contains("the graph takes 0 to "));
      CHECK_FALSE(shop.exists("y.npy"));
    }
    CHECK(infer(run, 1.1F, -0.05F).code == 0);
    CHECK(infer(run, 0.1F, 0).code == 0);
    std::filesystem::remove(shop / "y.npy");
  }
  CHECK_THAT(infer("float", 255, 0).err, Contains("from 0 to 255, the graph takes 0 to 1; pixels of 0 to 255"));
}

TEST_CASE("the integer engine is refused where no activations are quantized") {
  const Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  REQUIRE(
      shop.train("weights", {"--model", "mlp", "--epochs", "1", "--weights", "lsq:4", "--activations", "none"}).code ==
      0);
  io::write_npy(shop / "x.npy", Tensor::zeros({2, 8, 8, 1}));
  for (const char* run : {"run", "weights"}) {
    const Outcome outcome = support::run_cli({"infer", shop.path(run), "--engine", "integer", "--input",
                                              shop.path("x.npy"), "--output", shop.path("y.npy")});
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Contains("--engine integer: no activations are quantized") && !Contains("run_integer"));
  }
}

namespace {

/// A report as train writes it, with these numbers, and members that only some have: ",\"hold_out\":0.1".
void write_report(const Workshop& shop, const std::string& run, int bits, double accuracy, int differing = 0,
                  const std::string& more = "") {
  std::filesystem::create_directories(shop / run);
  const std::string kind = bits == 32 ? "none" : "lsq:" + std::to_string(bits);
  const std::string number = std::to_string(accuracy), width = std::to_string(bits);
  io::write_file_atomically(
      shop / (run + "/report.json"),
      R"({"format":"bitgrad.report","version":1,"model":"mlp","data":"d","weights":")" + kind + R"(","activations":")" +
          kind + R"(","weight_bits":)" + width + R"(,"activation_bits":)" + width +
          R"(,"epochs":1,"qat_epochs":2,"float_accuracy":90,"quantized_accuracy":80,"converted_accuracy":)" + number +
          R"(,"codes_compared":)" + (bits == 32 ? "0" : "100") + R"(,"differing_codes":)" + std::to_string(differing) +
          R"(,"parameters":10,"float_bytes":4096,"quantized_bytes":2048,"images_per_second":100,"seconds":12.5,"seed":1)" +
          more + '}');
}

}  // namespace

TEST_CASE("table lists runs against the last float run or a chosen one") {
  const Workshop shop(4, 4);
  write_report(shop, "float", 32, 91);
  write_report(shop, "longer", 32, 92);
  write_report(shop, "w4a4", 4, 91.5, 3);
  const Outcome outcome = support::run_cli({"table", shop.path("float"), shop.path("longer") + "/", shop.path("w4a4")});
  CHECK(outcome.err == "");
  CHECK(outcome.out ==
        "run     bits W / A  accuracy  change     size  differing codes  seconds\n"
        "float        float   91.00 %   -1.00  2.0 KiB                -     12.5\n"
        "longer       float   92.00 %   +0.00  2.0 KiB                -     12.5\n"
        "w4a4         4 / 4   91.50 %   -0.50  2.0 KiB                3     12.5\n"
        "change: percentage points against longer\n");
  const Outcome chosen = support::run_cli({"table", shop.path("w4a4"), "--baseline", shop.path("float")});
  CHECK_THAT(chosen.out, Contains("+0.50") && Contains("against float"));
  const Outcome alone = support::run_cli({"table", shop.path("w4a4")});
  CHECK(alone.code == 0);
  CHECK_THAT(alone.out, !Contains("against"));
}

TEST_CASE("table gives no change between accuracies of different images") {
  const Workshop shop(4, 4);
  const std::string held = R"(,"hold_out":0.1,"tested_on":{"images":6,"digest":"0123456789abcdef"})",
                    test = R"(,"tested_on":{"images":40,"digest":"fedcba9876543210"})";
  write_report(shop, "h", 32, 80.1, 0, held);
  write_report(shop, "t", 32, 91, 0, test);
  write_report(shop, "hq", 4, 90.5, 0, held);
  write_report(shop, "tq", 4, 90.75, 0, test);
  const std::string note =
      "not tested on the same images: h, hq: held-out 10 % of the training images of d (6, digest 0123456789abcdef); "
      "t, tq: test images of d (40, digest fedcba9876543210)\n";
  const Outcome outcome = support::run_cli({"table", shop.path("h"), shop.path("t"), shop.path("hq"), shop.path("tq")});
  CHECK(outcome.err == "");
  CHECK(outcome.out ==
        "run  bits W / A  accuracy  change     size  differing codes  seconds\n"
        "h         float   80.10 %       -  2.0 KiB                -     12.5\n"
        "t         float   91.00 %   +0.00  2.0 KiB                -     12.5\n"
        "hq        4 / 4   90.50 %       -  2.0 KiB                0     12.5\n"
        "tq        4 / 4   90.75 %   -0.25  2.0 KiB                0     12.5\n"
        "change: percentage points against t\n" +
            note);
  const Outcome alike = support::run_cli({"table", shop.path("h"), shop.path("hq")});
  CHECK_THAT(alike.out, Contains("+10.40") && !Contains("not tested on"));
  const Outcome chosen = support::run_cli({"table", "--markdown", shop.path("hq"), "--baseline", shop.path("t")});
  CHECK_THAT(chosen.out, Contains("|      - |") && Contains("\n\nnot tested on the same images: hq: held-out 10 % ") &&
                             Contains("; t: test images of d (40"));
  const Outcome itself = support::run_cli({"table", shop.path("hq"), shop.path("t"), "--baseline", shop.path("t")});
  CHECK_THAT(itself.out, Contains("; t: test images") && !Contains("t, t"));
  // Reports of before say what share was held out, at least.
  write_report(shop, "before", 4, 70, 0, R"(,"hold_out":0.1)");
  CHECK_THAT(support::run_cli({"table", shop.path("h"), shop.path("before")}).out, Contains("-10.10"));
  CHECK_THAT(support::run_cli({"table", shop.path("t"), shop.path("before")}).out,
             !Contains("-21.00") && Contains("before: held-out 10 % of the training images of d\n"));
  CHECK_THAT(support::run_cli({"table", "--help"}).out, Contains("tested on other images than the baseline"));
}

TEST_CASE("table prints Markdown") {
  const Workshop shop(4, 4);
  write_report(shop, "float", 32, 91);
  write_report(shop, "w4a4", 4, 91.5);
  const Outcome outcome = support::run_cli({"table", "--markdown", shop.path("float"), shop.path("w4a4")});
  CHECK(outcome.err == "");
  CHECK(outcome.out ==
        "| run   | bits W / A | accuracy | change |    size | differing codes | seconds |\n"
        "| :--   |        --: |      --: |    --: |     --: |             --: |     --: |\n"
        "| float |      float |  91.00 % |  +0.00 | 2.0 KiB |               - |    12.5 |\n"
        "| w4a4  |      4 / 4 |  91.50 % |  +0.50 | 2.0 KiB |               0 |    12.5 |\n"
        "\nchange: percentage points against float\n");
}

TEST_CASE("quantizers are listed with their grids, sorted by name") {
  const Outcome outcome = support::run_cli({"quantizers"});
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  for (const char* line :
       {"  lsq       weights and activations: symmetric\n", "  lsq-pot   weights and activations: pot\n",
        "  lsq-plus  weights: symmetric, uniform; activations: uniform\n",
        "  mct-ste   weights and activations: pot, symmetric, uniform\n", "  dqa       weights: symmetric, uniform\n"})
    CHECK_THAT(outcome.out, Contains(line));
  CHECK(outcome.out.find("dqa") < outcome.out.find("lsq"));
}

TEST_CASE("table refuses what is no report") {
  const Workshop shop(4, 4);
  CHECK_THAT(support::run_cli({"table", shop.path("nowhere")}).err, Contains("nowhere: no such directory"));
  write_report(shop, "run", 4, 90);
  std::string text = shop.text("run/report.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    io::write_file_atomically(shop / "run/report.json", changed.replace(changed.find(from), from.size(), to));
    return support::run_cli({"table", shop.path("run")}).err;
  };
  CHECK_THAT(with("\"version\":1", "\"version\":2"), Contains("report.json: version is 2, expected 1"));
  CHECK_THAT(with("\"seconds\":12.5,", ""), Contains("report.json: \"seconds\" is missing"));
  CHECK_THAT(with("\"seconds\":12.5", "\"seconds\":\"x\""), Contains("\"seconds\" is \"x\", expected a number"));
  CHECK_THAT(with("bitgrad.report", "other.report"), Contains("format is \"other.report\""));
  CHECK_THAT(with("}", ""), Contains("report.json: not JSON"));
  CHECK_THAT(with("\"seed\":1", "\"seed\":1,\"sede\":2"), Contains("unknown member \"sede\" (did you mean \"seed\""));
  CHECK_THAT(with("\"seed\":1", "\"seed\":-1"), Contains("\"seed\" is -1, expected an integer, 0 or more"));
  CHECK_THAT(with("\"seed\":1", "\"seed\":1,\"seed\":2"), Contains("occurs twice"));
  CHECK_THAT(with("\"parameters\":10", "\"parameters\":10.5"), Contains("\"parameters\" is 10.5, expected an integer"));
  // What only some reports have is checked where it is there.
  const auto plus = [&](const std::string& member) { return with("\"seed\":1", "\"seed\":1," + member); };
  CHECK(plus(R"("hold_out":0.1,"ema":0.9,"gradual":"8:1,4:1","mixed":true,"layers":[])") == "");
  CHECK_THAT(plus(R"("hold_out":"x")"), Contains("\"hold_out\" is \"x\", expected a number"));
  CHECK(plus(R"("tested_on":{"images":40,"digest":"0123456789abcdef"})") == "");
  CHECK_THAT(plus(R"("tested_on":40)"), Contains("\"tested_on\" is 40, expected an object"));
  CHECK_THAT(plus(R"("tested_on":{"images":40})"), Contains("tested_on: \"digest\" is missing"));
  CHECK_THAT(plus(R"("tested_on":{"images":0,"digest":"0123456789abcdef"})"),
             Contains("tested_on: \"images\" is 0, expected 1 or more"));
  for (const char* digest : {"0123456789ABCDEF", "0123456789abcde"})
    CHECK_THAT(plus(message(R"("tested_on":{"images":40,"digest":")", digest, "\"}")),
               Contains(message("tested_on: \"digest\" is \"", digest, "\", expected 16 hexadecimal digits")));
  CHECK_THAT(plus(R"("ema":"x")"), Contains("\"ema\" is \"x\", expected a number"));
  CHECK_THAT(plus(R"("gradual":8)"), Contains("\"gradual\" is 8, expected a string"));
  CHECK_THAT(plus(R"("mixed":1)"), Contains("\"mixed\" is 1, expected true or false"));
  CHECK_THAT(plus(R"("layers":[{"tensor":"a"}])"), Contains("layers: \"quantizer\" is missing"));
  CHECK_THAT(plus(R"("versions":{"bitgrad":"1"})"), Contains("versions: \"compiler\" is missing"));
  CHECK_THAT(plus(R"("details":[])"), Contains("\"details\" is [], expected an object"));
  CHECK_THAT(plus(R"("details":{"class_names":["a"],"confusion":[[1,2]],"mistakes":[],"layers":[],"tensors":[]})"),
             Contains("details: confusion is no table of 1 by 1 classes"));
  CHECK_THAT(
      plus(R"("details":{"class_names":["a"],"confusion":[[1]],"mistakes":[{"image":0}],"layers":[],"tensors":[]})"),
      Contains("details: mistakes[0]: \"label\" is missing"));
}
