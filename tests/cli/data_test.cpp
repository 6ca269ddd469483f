// Data sets on the command line: what they hold, augmentation, held-out images.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/core/data/cifar.hpp>
#include <bitgrad/core/io/image.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/zip.hpp>
#include "support.hpp"
#include "support/environment.hpp"
#include "support/npy.hpp"
#include "support/pictures.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::Outcome;
using support::plus;
using support::run_cli;
using support::Workshop;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> mlp{"--model", "mlp", "--epochs", "2"};

/// Four pictures of two classes to train on and one to test on, in both forms.
void write_pictures(const fs::path& folders, const fs::path& zips) {
  std::vector<io::ZipEntry> train, test;
  for (const auto& [name, red] : {std::pair{"cat/1.png", 10}, {"cat/2.png", 20}, {"dog/1.png", 30}, {"dog/2.png", 60}})
    train.push_back({name, support::png(1, 1, {static_cast<std::uint8_t>(red), 0, 255}, {.color_type = 2})});
  test.push_back({"dog/7.png", support::png(1, 1, {9, 0, 255}, {.color_type = 2})});
  for (const auto& [split, entries] : {std::pair{"train", train}, {"test", test}}) {
    for (const auto& [name, content] : entries) {
      fs::create_directories((folders / split / name).parent_path());
      io::write_file_atomically(folders / split / name, content);
    }
    fs::create_directories(zips);
    io::write_file_atomically(zips / (split + std::string(".zip")), io::format_zip(entries));
  }
}

}  // namespace

TEST_CASE("data tells splits, sizes, ranges and classes with their counts") {
  const Workshop shop(20, 8);
  write_pictures(shop / "folders", shop / "zips");
  const std::string expected =
      ", 2 classes\n\n"
      "split  images       size     range                  mean             deviation\n"
      "train       4  1 x 1 x 3  0 to 255  0.1176 0.0000 1.0000  0.0734 0.0000 0.0000\n"
      "test        1  1 x 1 x 3  0 to 255  0.0353 0.0000 1.0000  0.0000 0.0000 0.0000\n\n"
      "class  label  train  test\n"
      "cat        0      2     0\n"
      "dog        1      2     1\n";
  const Outcome folders = run_cli({"data", shop.path("folders")}), zips = run_cli({"data", shop.path("zips")});
  CHECK(folders.err.empty());
  CHECK(folders.out == shop.path("folders") + ": image folders" + expected);
  CHECK(zips.out == shop.path("zips") + ": zipped image folders" + expected);
  fs::remove(shop / "zips/test.zip");
  CHECK_THAT(run_cli({"data", shop.path("zips")}).out,
             Contains(": zipped image folders, 2 classes, the train split alone\n") && Contains("\ntest     none\n"));

  const Outcome idx = run_cli({"data", shop.path("data")});
  CHECK_THAT(idx.out, Contains("data: IDX, 4 classes\n") && Contains("train      20  8 x 8 x 1  ") &&
                          Contains("\n-          3  "));
}

TEST_CASE("data tells of a folder of class folders, and of a zip of them, that it is training images alone") {
  const Workshop shop(8, 4);
  write_pictures(shop / "folders", shop / "zips");
  const std::string expected =
      ", 2 classes, the train split alone\n\n"
      "split  images       size     range                  mean             deviation\n"
      "train       4  1 x 1 x 3  0 to 255  0.1176 0.0000 1.0000  0.0734 0.0000 0.0000\n"
      "test     none\n\n"
      "class  label  train\n"
      "cat        0      2\n"
      "dog        1      2\n\n"
      "No test images: bitgrad train --hold-out SHARE tests on a share of the training images.\n";
  const Outcome folder = run_cli({"data", shop.path("folders/train")}),
                zip = run_cli({"data", shop.path("zips/train.zip")});
  CHECK(folder.err.empty());
  CHECK(folder.out == shop.path("folders/train") + ": class folders" + expected);
  CHECK(zip.err.empty());
  CHECK(zip.out == shop.path("zips/train.zip") + ": zipped class folders" + expected);
}

TEST_CASE("data tells the names of classes that an npz file has") {
  const Workshop shop(8, 4);
  const auto array = [](const Tensor& tensor) { return io::format_npy(tensor); };
  io::write_file_atomically(shop / "named.npz",
                            io::format_zip({{"x_train.npy", array(Tensor::full({2, 1, 1}, 7, DType::uint8))},
                                            {"y_train.npy", support::npy_numbers<std::uint16_t>("<u2", {1, 1})},
                                            {"x_test.npy", array(Tensor::full({1, 1, 1}, 7, DType::uint8))},
                                            {"y_test.npy", support::npy_numbers<std::int64_t>("<i8", {0})},
                                            {"class_names.npy", support::npy_wide_strings('<', 3, U"catdog")}}));
  const Outcome named = run_cli({"data", shop.path("named.npz")});
  CHECK(named.err.empty());
  CHECK_THAT(named.out, Contains("named.npz: npz, 2 classes\n") && Contains("\ncat        0      0     1\n") &&
                            Contains("\ndog        1      2     0\n") && !Contains("No test images"));
}

TEST_CASE("train takes class folders with --hold-out, and says so without") {
  const Workshop shop(8, 4);
  const data::Dataset dataset = support::tiny_dataset(40, 8, 1);
  std::vector<io::ZipEntry> entries;
  for (Index i = 0; i < dataset.size(); ++i) {
    const std::string name = message("class", dataset.labels.at<std::int32_t>({i}), '/', 100 + i, ".png");
    entries.push_back({name, io::encode_png(dataset.images.rows(i, i + 1).reshape({8, 8, 1}))});
    fs::create_directories((shop / "flat" / name).parent_path());
    io::write_file_atomically(shop / "flat" / name, entries.back().content);
  }
  io::write_file_atomically(shop / "flat.zip", io::format_zip(entries));
  const Outcome without = shop.train("none", plus(mlp, {"--data", shop.path("flat")}));
  CHECK(without.code == 1);
  CHECK_THAT(without.err,
             Contains("flat\" has no test split, class folders are training images alone; hold out a share "
                      "of the training images (bitgrad train --hold-out"));
  for (const char* name : {"flat", "flat.zip"}) {
    const Outcome trained =
        shop.train(message(name, "-run"), plus(mlp, {"--data", shop.path(name), "--hold-out", "0.25"}));
    CHECK(trained.err == "");
    REQUIRE(trained.code == 0);
  }
  CHECK(shop.bytes("flat-run/float.safetensors") == shop.bytes("flat.zip-run/float.safetensors"));

  REQUIRE(shop.train("quantized", plus(support::w4a4, {"--data", shop.path("flat"), "--hold-out", "0.25"})).code == 0);
  const auto report = nlohmann::json::parse(shop.text("quantized/report.json"));
  const Outcome verified = run_cli({"verify", shop.path("quantized")});
  CHECK(verified.err == "");
  CHECK_THAT(verified.out,
             Contains(message(" % of ", report["tested_on"]["images"].get<int>(), " images")) &&
                 Contains(bitgrad::cli::format("accuracy %.2f %%", report["converted_accuracy"].get<double>())));
}

TEST_CASE("data: what it cannot read is one line") {
  const Workshop shop(8, 4);
  const Outcome unknown = run_cli({"data", "mnits"});
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, Contains("unknown data set \"mnits\" (did you mean \"mnist\""));
  fs::create_directory(shop / "empty");
  const Outcome empty = run_cli({"data", shop.path("empty")});
  CHECK(empty.code == 1);
  CHECK_THAT(empty.err, Contains("empty\" holds no data set, expected a directory with IDX files"));
}

TEST_CASE("train takes CIFAR-10 by its name as zipped folders of JPEG") {
  const Workshop shop(4, 4);
  const std::vector<std::string> classes = data::cifar10_class_names();
  for (const auto& [split, each] : {std::pair{"train", 12}, {"test", 3}}) {
    std::vector<io::ZipEntry> entries;
    for (int i = 0; i < 10 * each; ++i) {
      const auto label = static_cast<std::size_t>(i % 10);
      const auto shade = static_cast<std::uint8_t>(20 * label + static_cast<std::size_t>(i / 10));
      entries.push_back({classes[label] + "/" + std::to_string(1000 + i) + ".jpg",
                         support::jpeg(32, 32, {shade, static_cast<std::uint8_t>(255 - shade), 128})});
    }
    fs::create_directories(shop / "sets/cifar10");
    io::write_file_atomically(shop / "sets/cifar10" / (split + std::string(".zip")), io::format_zip(entries));
  }
  const support::Environment place("BITGRAD_DATA_DIR", shop.path("sets"));
  const Outcome data = run_cli({"data", "cifar10"});
  CHECK_THAT(data.out, Contains("cifar10: zipped image folders, 10 classes\n") &&
                           Contains("train     120  32 x 32 x 3") && Contains("airplane        0     12     3\n") &&
                           Contains("truck           9     12     3\n"));
  const Outcome trained = run_cli(
      {"train", "--data",        "cifar10", "--model",   "resnet8", "--augment",     "flip,crop:4",   "--epochs",
       "1",     "--qat-epochs",  "1",       "--weights", "lsq:4",   "--activations", "lsq:4",         "--batch",
       "40",    "--calibration", "40",      "--threads", "2",       "--out",         shop.path("run")});
  CHECK(trained.err == "");
  REQUIRE(trained.code == 0);
  const auto report = nlohmann::json::parse(shop.text("run/report.json"));
  CHECK(report["data"] == "cifar10");
  CHECK(report["differing_codes"] == 0);
  CHECK(report["codes_compared"] > 0);
  CHECK(report["details"]["class_names"] == classes);
  int images = 0;
  for (const auto& row : report["details"]["confusion"])
    for (const auto& count : row) images += count.get<int>();
  CHECK(images == 30);
}

TEST_CASE("train takes every format, and the same images give the same bytes") {
  const Workshop shop(40, 12);
  const data::Dataset train = support::tiny_dataset(40, 8, 1), test = support::tiny_dataset(12, 8, 2);
  io::write_npz(
      shop / "data.npz",
      {{"x_train", train.images}, {"y_train", train.labels}, {"x_test", test.images}, {"y_test", test.labels}});
  REQUIRE(shop.train("idx", mlp).code == 0);
  REQUIRE(shop.train("npz", plus(mlp, {"--data", shop.path("data.npz")})).code == 0);
  CHECK(shop.bytes("idx/float.safetensors") == shop.bytes("npz/float.safetensors"));

  for (const auto& [split, dataset] : {std::pair{"train", train}, {"test", test}}) {
    std::vector<io::ZipEntry> entries;
    for (Index i = 0; i < dataset.size(); ++i) {
      const auto pixels = dataset.images.rows(i, i + 1);
      const std::string name =
          "class" + std::to_string(dataset.labels.at<std::int32_t>({i})) + "/" + std::to_string(100 + i) + ".png";
      entries.push_back({name, support::png(8, 8, {pixels.data<std::uint8_t>(), pixels.data<std::uint8_t>() + 64})});
    }
    fs::create_directories(shop / "zips");
    io::write_file_atomically(shop / "zips" / (split + std::string(".zip")), io::format_zip(entries));
  }
  const Outcome zips = shop.train("zips", plus(mlp, {"--data", shop.path("zips")}));
  CHECK(zips.err == "");
  CHECK(zips.code == 0);
}

TEST_CASE(
    "train --augment is part of the run: other bytes, the same for any number of threads, and resumed to the byte") {
  const Workshop shop(70, 20);
  const std::vector<std::string> augmented = plus(support::w4a4, {"--augment", "flip,shift:2,rotate:10,cutout:3"});
  REQUIRE(shop.train("plain", support::w4a4).code == 0);
  for (const char* threads : {"1", "2", "3"})
    REQUIRE(shop.train(threads, plus(augmented, {"--threads", threads})).code == 0);
  for (const char* file : {"float.safetensors", "quantized.safetensors", "graph/graph.npz"}) {
    INFO(file);
    CHECK(shop.bytes(std::string("1/") + file) == shop.bytes(std::string("2/") + file));
    CHECK(shop.bytes(std::string("1/") + file) == shop.bytes(std::string("3/") + file));
    CHECK(shop.bytes(std::string("1/") + file) != shop.bytes(std::string("plain/") + file));
  }

  // A run that has its float stage only continues to the same bytes, and not with another augmentation.
  fs::create_directory(shop / "stopped");
  fs::copy(shop / "1/float.safetensors", shop / "stopped/float.safetensors");
  fs::copy(shop / "1/metrics.csv", shop / "stopped/metrics.csv");
  const Outcome other = shop.train("stopped", plus(support::w4a4, {"--resume", "--augment", "flip"}));
  CHECK(other.code == 1);
  CHECK_THAT(other.err, Contains("float/augmentation is \"flip,shift:2,rotate:10,cutout:3\" there and \"flip\" here"));
  CHECK_FALSE(shop.exists("stopped/run.json"));
  REQUIRE(shop.train("stopped", plus(augmented, {"--resume"})).code == 0);
  CHECK(shop.bytes("stopped/quantized.safetensors") == shop.bytes("1/quantized.safetensors"));
}

TEST_CASE(
    "train --mixup is part of the run: other bytes, the same for any number of threads, and refused where wrong") {
  const Workshop shop(70, 20);
  const std::vector<std::string> mixed = plus(mlp, {"--mixup", "0.3"});
  REQUIRE(shop.train("plain", mlp).code == 0);
  for (const char* threads : {"1", "3"}) REQUIRE(shop.train(threads, plus(mixed, {"--threads", threads})).code == 0);
  CHECK(shop.bytes("1/float.safetensors") == shop.bytes("3/float.safetensors"));
  CHECK(shop.bytes("1/float.safetensors") != shop.bytes("plain/float.safetensors"));
  CHECK_THAT(shop.text("1/float.safetensors"), Contains("mixup"));
  CHECK_THAT(shop.text("plain/float.safetensors"), !Contains("mixup"));
  const Outcome wrong = shop.train("run", plus(mlp, {"--mixup", "-1"}));
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, Contains("--mixup -1: expected 0 (none) to 1000"));
  CHECK_FALSE(shop.exists("run"));
}

TEST_CASE("train --augment refuses what it cannot do before anything is written") {
  const Workshop shop(8, 4);
  const Outcome unknown = shop.train("run", plus(mlp, {"--augment", "filp"}));
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, Contains("--augment filp: unknown augmentation \"filp\" (did you mean \"flip\""));
  const Outcome large = shop.train("run", plus(mlp, {"--augment", "shift:8"}));
  CHECK(large.code == 1);
  CHECK_THAT(large.err, Contains("shift:8 for images of 8 x 8 pixels, expected less than either side"));
  CHECK_FALSE(shop.exists("run"));
}

TEST_CASE("train --from refuses to test on images that the model was trained on") {
  const Workshop shop(64);
  REQUIRE(shop.train("all", plus(mlp, {})).code == 0);
  REQUIRE(shop.train("held", plus(mlp, {"--hold-out", "0.25"})).code == 0);
  const auto from = [&](const std::string& start, const std::vector<std::string>& more) {
    std::vector<std::string> options{"--from", shop.path(start), "--qat-epochs", "1", "--weights", "lsq:4"};
    options.insert(options.end(), more.begin(), more.end());
    return shop.train(message("of-", start.substr(0, start.find('/')), more.size()), options);
  };
  const Outcome all = from("all", {"--hold-out", "0.25"});
  CHECK(all.code == 2);
  CHECK_THAT(all.err, Contains("/all was trained with no --hold-out, on images that this run would test on"));
  const Outcome other = from("held", {"--hold-out", "0.25", "--hold-out-seed", "2"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("bitgrad: error: --hold-out 0.25 --hold-out-seed 2 ") &&
                            Contains("trained with --hold-out 0.25 --hold-out-seed 1"));
  CHECK(from("held", {"--hold-out", "0.25"}).code == 0);
  CHECK(from("held", {"--hold-out", "0.125", "--hold-out-seed", "1"}).code == 0);  // some of the same
  CHECK(from("held", {}).code == 0);                                               // the test images are new to it
  // Through a run that trained nothing in float, and by the file.
  CHECK(from("of-held0", {"--hold-out", "0.25"}).code == 0);
  CHECK(from("all/float.safetensors", {"--hold-out", "0.25"}).code == 2);
  CHECK(from("held/float.safetensors", {"--hold-out", "0.25", "--limit", "60", "--seed", "1"}).code == 2);
}

TEST_CASE("train --hold-out tests on training images and leaves the test images alone") {
  const Workshop shop(80, 20);
  fs::remove(shop / "data/t10k-images-idx3-ubyte");
  REQUIRE(shop.train("run", plus(mlp, {"--hold-out", "0.25"})).code == 0);
  const auto report = nlohmann::json::parse(shop.text("run/report.json"));
  CHECK(report["hold_out"] == 0.25);
  REQUIRE(shop.train("again", plus(mlp, {"--hold-out", "0.25", "--hold-out-seed", "1"})).code == 0);
  CHECK(shop.bytes("again/float.safetensors") == shop.bytes("run/float.safetensors"));
  const Outcome resumed = shop.train("run", plus(mlp, {"--hold-out", "0.25", "--hold-out-seed", "2", "--resume"}));
  CHECK(resumed.code == 2);
  CHECK_THAT(resumed.err, Contains("--hold-out-seed is 1 there and 2 here"));

  const auto refused = [&](const std::vector<std::string>& options, const std::string& reason) {
    const Outcome outcome = shop.train("none", plus(mlp, options));
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(reason));
  };
  refused({"--hold-out", "1"}, "--hold-out 1: expected more than 0 and less than 1");
  refused({"--hold-out-seed", "2"}, "--hold-out-seed has no effect without --hold-out");
}
