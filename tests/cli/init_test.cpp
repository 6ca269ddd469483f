// bitgrad train --init
#include <catch2/catch.hpp>

#include <limits>

#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include "cli/support.hpp"

using namespace bitgrad;
using Catch::Contains;

namespace {

/// The float weights of a run.
NamedTensors weights_of(const support::Workshop& shop, const std::string& run) {
  return read_checkpoint(shop / (run + "/float.safetensors")).state;
}

}  // namespace

TEST_CASE("train --init: float weights of either file, without training as they are") {
  const support::Workshop shop;
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const NamedTensors weights = weights_of(shop, "run");
  io::write_npz(shop / "w.npz", weights);
  io::write_safetensors(shop / "w.safetensors", weights);
  for (const char* file : {"w.npz", "w.safetensors"}) {
    const auto outcome = shop.train("again", {"--model", "mlp", "--init", shop.path(file), "--replace"});
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(identical(weights_of(shop, "again"), weights));
  }
  const auto quantized =
      shop.train("q", {"--model", "mlp", "--init", shop.path("w.npz"), "--qat-epochs", "1", "--weights", "lsq:4"});
  CHECK(quantized.code == 0);
  CHECK_THAT(quantized.out, Contains("0 of"));
}

TEST_CASE("train --init: PyTorch's layout") {
  const support::Workshop shop;
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  const NamedTensors weights = weights_of(shop, "run");
  NamedTensors theirs;
  for (const auto& [name, tensor] : weights) {
    const std::string layer = name.substr(0, name.find('/'));
    if (tensor.rank() == 1) {
      theirs.add(layer + ".bias", tensor);
      continue;
    }
    Tensor transposed({tensor.dim(1), tensor.dim(0)});
    for (Index i = 0; i < tensor.dim(0); ++i)
      for (Index o = 0; o < tensor.dim(1); ++o)
        transposed.data<float>()[o * tensor.dim(0) + i] = tensor.data<float>()[i * tensor.dim(1) + o];
    theirs.add(layer + ".weight", transposed);
  }
  io::write_safetensors(shop / "torch.safetensors", theirs);
  const auto outcome =
      shop.train("again", {"--model", "mlp", "--init", shop.path("torch.safetensors"), "--init-layout", "pytorch"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(identical(weights_of(shop, "again"), weights));
}

TEST_CASE("train --init: what does not fit is named, and nothing is started") {
  const support::Workshop shop;
  io::write_npz(shop / "w.npz", {{"dense1/kernel", Tensor(Shape{2, 3})}, {"dens2/kernel", Tensor(Shape{2, 3})}});
  const auto refused = [&](std::vector<std::string> more, int code, const auto& what) {
    const auto outcome = shop.train("run", more);
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, what);
    CHECK_FALSE(shop.exists("run"));
  };
  refused({"--model", "mlp", "--init", shop.path("w.npz")}, 1,
          Contains("w.npz") && Contains("missing: dense1/bias, dense2/kernel") &&
              Contains("unexpected: dens2/kernel") && Contains("dense1/kernel is float32 (2, 3), expected float32"));
  refused({"--model", "mlp", "--init", shop.path("none.npz")}, 1, Contains("none.npz"));
  refused({"--init", shop.path("w.npz")}, 2, Contains("--model is required"));
  refused({"--model", "mlp", "--init-layout", "pytorch"}, 2, Contains("--init"));
  refused({"--model", "mlp", "--init", shop.path("w.npz"), "--init-layout", "keras"}, 2, Contains("keras"));
  refused({"--from", shop.path("a"), "--init", shop.path("w.npz")}, 2, Contains("one file"));
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  refused({"--model", "mlp", "--init", shop.path("float/float.safetensors")}, 1, Contains("--from"));
  NamedTensors weights = weights_of(shop, "float");
  weights.at("dense2/bias").data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  io::write_npz(shop / "nan.npz", weights);
  refused({"--model", "mlp", "--init", shop.path("nan.npz")}, 1,
          Contains("nan.npz: ") && Contains("\"dense2/bias\" holds nan at element 3, expected finite numbers"));
}
