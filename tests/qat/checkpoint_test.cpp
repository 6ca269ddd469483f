#include <bitgrad/qat/checkpoint.hpp>

#include <catch2/catch.hpp>

#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/layers/models/models.hpp>
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

Checkpoint example() {
  Model model = models::make("mlp", {4, 4, 1}, 3);
  model.build({4, 4, 1}, 5);
  return {.model = "mlp",
          .input_shape = {4, 4, 1},
          .classes = 3,
          .stage = "float",
          .epoch = 2,
          .step = 30,
          .seed = 18446744073709551615U,
          .options = R"({"float":{"batch":64,"learning_rate":0.002}})",
          .plan = "",
          .state = model.state_dict(),
          .optimizer = {{"steps", Tensor::from({1}, {30.0F})}}};
}

/// The file with one entry of its metadata changed, or removed when `value` is empty.
io::Path with_metadata(const support::TemporaryDirectory& directory, const std::string& key, const std::string& value) {
  write_checkpoint(directory / "good.safetensors", example());
  io::SafeTensors file = io::read_safetensors(directory / "good.safetensors");
  file.metadata.erase(key);
  if (!value.empty()) file.metadata[key] = value;
  io::write_safetensors(directory / "bad.safetensors", file.tensors, file.metadata);
  return directory / "bad.safetensors";
}

}  // namespace

TEST_CASE("a checkpoint reads back as it was written, and the same one gives the same bytes") {
  const support::TemporaryDirectory directory;
  const Checkpoint written = example();
  write_checkpoint(directory / "a", written);
  write_checkpoint(directory / "b", written);
  CHECK(io::read_file(directory / "a") == io::read_file(directory / "b"));

  const Checkpoint read = read_checkpoint(directory / "a");
  CHECK(read.model == "mlp");
  CHECK(read.input_shape == Shape{4, 4, 1});
  CHECK(read.classes == 3);
  CHECK(read.stage == "float");
  CHECK(read.epoch == 2);
  CHECK(read.step == 30);
  CHECK(read.seed == 18446744073709551615U);
  CHECK(read.options == written.options);
  CHECK(read.plan.empty());
  CHECK(identical(read.state, written.state));
  CHECK(identical(read.optimizer, written.optimizer));
  CHECK(identical(restore_model(read).state_dict(), written.state));
}

TEST_CASE("checkpoints of another format or version are refused by name") {
  const support::TemporaryDirectory directory;
  CHECK_THROWS_WITH(
      read_checkpoint(with_metadata(directory, "format", "other.thing")),
      Contains("bad.safetensors: format of the checkpoint is \"other.thing\", expected \"bitgrad.checkpoint\""));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "version", "7")),
                    Contains("version of the checkpoint is \"7\", expected \"1\""));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "format", "")), Contains("no bitgrad checkpoint"));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "plan", "")), Contains("lacks \"plan\""));
}

TEST_CASE("malformed fields of a checkpoint are refused by name") {
  const support::TemporaryDirectory directory;
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "epoch", "two")),
                    Contains("epoch of the checkpoint is \"two\""));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "step", "-3")),
                    Contains("step of the checkpoint is \"-3\""));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "classes", "3 ")), Contains("classes of the checkpoint"));
  CHECK_THROWS_WITH(read_checkpoint(with_metadata(directory, "input_shape", "4,,1")),
                    Contains("input_shape of the checkpoint"));
  CHECK_THROWS_AS(read_checkpoint(directory / "missing"), IoError);
  const io::Metadata metadata = io::read_safetensors(directory / "good.safetensors").metadata;
  io::write_safetensors(directory / "tensor", {{"stray", Tensor::zeros({2})}}, metadata);
  CHECK_THROWS_WITH(read_checkpoint(directory / "tensor"), Contains("\"stray\" belongs neither"));
}

TEST_CASE("the state of another model is refused, listing names or shapes") {
  Checkpoint checkpoint = example();
  checkpoint.input_shape = {5, 4, 1};
  CHECK_THROWS_WITH(restore_model(checkpoint),
                    Contains("checkpoint: model \"mlp\" cannot be restored: ") &&
                        Contains("dense1/kernel is float32 (16, 128), expected float32 (20, 128)"));
  checkpoint = example();
  checkpoint.model = "mpl";
  CHECK_THROWS_WITH(restore_model(checkpoint), Contains("unknown model \"mpl\" (did you mean \"mlp\""));

  const support::TemporaryDirectory directory;
  CHECK_THROWS_WITH(
      restore_model(read_checkpoint(with_metadata(directory, "model", "lenet5"))),
      Catch::StartsWith((directory / "bad.safetensors").string() + ": model \"lenet5\" cannot be restored: "));
}

TEST_CASE("options that differ are all listed") {
  const std::string there = R"({"data":"x","float":{"batch":64,"epochs":3}})";
  CHECK_NOTHROW(require_same_options("run", there, R"({"float":{"epochs":3,"batch":64},"data":"x"})"));
  const auto here = R"({"data":"x","float":{"batch":128,"epochs":3},"from":"y"})";
  CHECK_THROWS_WITH(require_same_options("run/float.safetensors", there, here),
                    Contains("run/float.safetensors: ") && Contains("float/batch is 64 there and 128 here") &&
                        Contains("from is not set there and \"y\" here") && !Contains("epochs"));
  CHECK_THROWS_WITH(require_same_options("run", "no json", there), Contains("no JSON object"));
}
