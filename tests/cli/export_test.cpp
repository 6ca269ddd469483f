// bitgrad export, and the codes of bitgrad infer.
#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>

#include <bitgrad/cli/report.hpp>
#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/qat/export/onnx.hpp>
#include "cli/support.hpp"

using namespace bitgrad;
using Catch::Contains;

namespace {

/// A quantized run in "run".
void train(const support::Workshop& shop) {
  const support::Outcome outcome = shop.train(
      "run", {"--model", "mlp", "--epochs", "1", "--qat-epochs", "1", "--weights", "lsq:4", "--activations", "lsq:4"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
}

}  // namespace

TEST_CASE("export: writes what the library writes, with the run's report in it") {
  const support::Workshop shop;
  train(shop);
  const auto outcome = support::run_cli({"export", shop.path("run"), "--onnx", shop.path("m.onnx"), "--pack", "4"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("m.onnx: ") && Contains(" bytes, ONNX opset 21"));
  const io::Bytes bytes = shop.bytes("m.onnx");
  const std::string_view text = io::text_of(bytes);
  for (const char* part : {"bitgrad", "accuracy", "bitgrad.weight_bits", "dense1 8, dense2 4, dense3 8", "NCHW"})
    CHECK(text.find(part) != std::string_view::npos);
  support::run_cli({"export", shop.path("run"), "--onnx", shop.path("again.onnx"), "--pack", "4"});
  CHECK(shop.bytes("again.onnx") == bytes);
}

TEST_CASE("export: C header and arrays") {
  const support::Workshop shop;
  train(shop);
  const auto outcome = support::run_cli({"export", shop.path("run"), "--c", shop.path("w4-a4.h"), "--npz",
                                         shop.path("a.npz"), "--safetensors", shop.path("a.safetensors")});
  CAPTURE(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out,
             Contains("w4-a4.h: ") && Contains("w4_a4_run()") && Contains("a.npz: ") && Contains(" arrays"));
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  CHECK_THAT(shop.text("w4-a4.h"), Contains("void w4_a4_run(") &&
                                       Contains(message(" * bytes: ", graph.weight_bytes(), " of weights")) &&
                                       Contains(" * data: data\n"));
  CHECK(cli::read_report({shop / "run"}).quantized_bytes == static_cast<std::int64_t>(graph.weight_bytes()));
  CHECK(identical(io::read_npz(shop / "a.npz").at("dense2.kernel.codes"),
                  io::read_safetensors(shop / "a.safetensors").tensors.at("dense2.kernel.codes")));

  Tensor images(graph.tensors[static_cast<std::size_t>(graph.input)].shape.prepended(3), DType::uint8);
  std::ranges::fill(images.span<std::uint8_t>(), std::uint8_t{77});
  io::write_npy(shop / "x.npy", images);
  CHECK(support::run_cli({"export", shop.path("run"), "--c", shop.path("3d.h"), "--golden", shop.path("x.npy")}).code ==
        0);
  const Grid& grid = *graph.tensors[static_cast<std::size_t>(graph.integer_input())].grid;
  const std::string code = message("_golden_input[", images.size(), "] = {\n  ",
                                   codes_of(Tensor::full({1}, 77.0F / 255), grid).data<std::int32_t>()[0], ", ");
  CHECK_THAT(shop.text("3d.h"), Contains("net3d_run(") && Contains(code) && Contains("n < 3;"));
}

TEST_CASE("export --onnx-weights: what the library writes for that processor") {
  const support::Workshop shop;
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--weights", "lsq:8", "--activations", "lsq:8"}).code ==
          0);
  const auto written = [&](const std::vector<std::string>& options) {
    CHECK(support::run_cli(support::plus({"export", shop.path("run"), "--onnx", shop.path("m.onnx")}, options)).code ==
          0);
    return shop.bytes("m.onnx");
  };
  const io::Bytes usual = written({}), int8 = written({"--onnx-weights", "int8"});
  CHECK(written({"--onnx-weights", "uint8"}) == usual);
  CHECK(int8 != usual);
  CHECK(int8.size() == usual.size());
}

TEST_CASE("export: a run without quantized activations is refused with what to do") {
  const support::Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1", "--weights", "lsq:4", "--activations", "none"}).code ==
          0);
  for (const char* format : {"--c", "--tflite"})
    CHECK_THAT(support::run_cli({"export", shop.path("run"), format, shop.path("m.h")}).err,
               Contains("no activations are quantized") && Contains("train with --weights and --activations"));
  CHECK_FALSE(shop.exists("m.h"));
}

TEST_CASE("export: nothing is written unless all can be") {
  const support::Workshop shop;
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const auto outcome =
      support::run_cli({"export", shop.path("float"), "--npz", shop.path("a.npz"), "--c", shop.path("net.h")});
  CHECK(outcome.code == 1);
  CHECK_FALSE(shop.exists("a.npz"));
  CHECK_FALSE(shop.exists("net.h"));
}

TEST_CASE("export: wrong usage is one line and leaves no file") {
  const support::Workshop shop;
  train(shop);
  const auto refused = [&](std::vector<std::string> arguments, int code, const std::string& text) {
    arguments.insert(arguments.begin(), {"export", shop.path("run")});
    const support::Outcome outcome = support::run_cli(arguments);
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, Contains(text));
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
    CHECK_FALSE(shop.exists("m.onnx"));
    CHECK_FALSE(shop.exists("m.h"));
  };
  refused({}, 2, "nothing to write");
  refused({"--onnx", shop.path("m.onnx"), "--pack", "2", "--opset", "21"}, 2,
          "--pack 2 needs --opset 25, got --opset 21");
  refused({"--onnx", shop.path("m.onnx"), "--opset", "14"}, 2, "14");
  refused({"--onnx", shop.path("m.onnx"), "--pack", "3"}, 2, "3");
  refused({"--c", shop.path("m.onnx")}, 2, "m.onnx: expected a name that ends in .h");
  refused({"--c", shop.path("m.h"), "--pack", "4"}, 2, "--pack has no effect without --onnx or --tflite");
  refused({"--tflite", shop.path("m.onnx"), "--pack", "2"}, 2,
          "--pack 2: the smallest weights of a TFLite file have 4");
  refused({"--onnx", shop.path("m.onnx"), "--tflite", shop.path("m.tflite"), "--pack", "2"}, 2,
          "--pack 2: the smallest weights of a TFLite file have 4");
  refused({"--tflite", shop.path("m.onnx"), "--onnx-weights", "int8"}, 2,
          "--onnx-weights has no effect without --onnx");
  refused({"--onnx", shop.path("m.onnx"), "--onnx-weights", "int4"}, 2, "int4");
  refused({"--tflite", shop.path("m.onnx"), "--opset", "13"}, 2, "--opset has no effect without --onnx");
  refused({"--npz", shop.path("m.onnx"), "--golden", shop.path("x.npy")}, 2, "--golden has no effect without --c");
  refused({"--onnx", shop.path("m.onnx"), "--c", shop.path("net.h"), "--golden", shop.path("none.npy")}, 1, "none.npy");
  refused({"--onnx", shop.path("missing/m.onnx")}, 1, "missing/m.onnx");
  refused({"--onnx", shop.path("m.onnx"), "--npz", shop.path("missing/m.npz")}, 1, "missing/m.npz");
  refused({"--onnx", shop.path("m.onnx"), "--npz", shop.path("./m.onnx")}, 1, "expected different paths");
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  io::write_npy(shop / "no_images.npy",
                Tensor(graph.tensors[static_cast<std::size_t>(graph.input)].shape.prepended(0)));
  refused({"--c", shop.path("m.h"), "--golden", shop.path("no_images.npy")}, 1, "holds no images");
}

TEST_CASE("export --mode: files of another requantization, and none where the format has one alone") {
  const support::Workshop shop;
  train(shop);
  const auto outcome = support::run_cli({"export", shop.path("run"), "--mode", "tflm_double", "--c", shop.path("net.h"),
                                         "--tflite", shop.path("net.tflite")});
  CAPTURE(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("TFLite, int8, requantization tflm_double"));
  CHECK_THAT(shop.text("net.h"), Contains(" * requantization: tflm_double\n") && Contains("net_multiply_twice("));
  CHECK_THAT(support::run_cli({"export", shop.path("run"), "--mode", "single", "--onnx", shop.path("m.onnx")}).err,
             Contains("\"single\"") && Contains("ONNX Runtime"));
  CHECK(!std::filesystem::exists(shop.path("m.onnx")));
  CHECK_THAT(support::run_cli({"export", shop.path("run"), "--mode", "tflm", "--c", shop.path("n.h")}).err,
             Contains("tflm_double"));
}

TEST_CASE("infer --codes: the codes of every quantized tensor") {
  const support::Workshop shop;
  train(shop);
  const InferenceGraph graph = InferenceGraph::load(shop.path("run/graph"));
  const Shape input = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
  Tensor images(input.prepended(3), DType::uint8);
  for (Index i = 0; i < images.size(); ++i) images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(37 * i);
  io::write_npy(shop / "x.npy", images);
  CHECK(support::run_cli({"infer", shop.path("run"), "--input", shop.path("x.npy"), "--codes", shop.path("codes.npz")})
            .code == 0);
  const NamedTensors codes = io::read_npz(shop / "codes.npz");
  const std::vector<Tensor> expected = graph.run_all(data::to_unit_range(images));
  std::size_t compared = 0;
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    if (!graph.tensors[t].grid) continue;
    ++compared;
    CHECK(identical(codes.at(graph.tensors[t].name).to(DType::int32), expected[t]));
  }
  CHECK(compared == codes.size());
  CHECK_THAT(support::run_cli({"infer", shop.path("run"), "--input", shop.path("x.npy")}).err,
             Contains("nothing to write"));

  CHECK(support::run_cli({"infer", shop.path("run"), "--input", shop.path("x.npy"), "--output", shop.path("y.npy"),
                          "--codes", shop.path("missing/codes.npz")})
            .code == 1);
  CHECK_FALSE(shop.exists("y.npy"));  // both or none
  Tensor broken = images.to(DType::float32);
  broken.data<float>()[1] = std::numeric_limits<float>::infinity();
  io::write_npy(shop / "broken.npy", broken);
  CHECK_THAT(
      support::run_cli({"infer", shop.path("run"), "--input", shop.path("broken.npy"), "--output", shop.path("y.npy")})
          .err,
      Contains("broken.npy: element 1 of image 0 is inf, expected a finite number"));
}
