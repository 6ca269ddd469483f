// Usage: fuzz_seeds CORPUS_DIR
// Writes small well-formed files of every format, from which fuzzing starts: CORPUS_DIR/TARGET/seed-NAME.
#include <zlib.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#ifdef BITGRAD_FUZZ_CLI
#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/cli/report.hpp>
#endif
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/core/io/tfrecord.hpp>
#include <bitgrad/core/io/zip.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/sensitivity.hpp>
#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include "qat/inference_support.hpp"
#include "support/npy.hpp"
#include "support/pictures.hpp"

using namespace bitgrad;

namespace {

struct Corpus {
  io::Path directory;

  void add(const std::string& target, const std::string& name, std::span<const std::byte> bytes) const {
    std::filesystem::create_directories(directory / target);
    io::write_file_atomically(directory / target / ("seed-" + name), bytes);
  }
  void add(const std::string& target, const std::string& name, std::string_view text) const {
    add(target, name, std::as_bytes(std::span(text)));
  }
};

NamedTensors some_tensors() {
  return {{"a/kernel", test::floats({2, 3}, {1, -2, 0.5F, 0, 7, -0.25F})},
          {"codes", Tensor::from({4}, std::vector<std::int8_t>{-8, 7, 0, 1})},
          {"bytes", Tensor::from({1, 3}, std::vector<std::uint8_t>{0, 128, 255})},
          {"bias", Tensor::from({2}, std::vector<std::int32_t>{-100000, 3})},
          {"double", Tensor::from({1}, std::vector<double>{0.1})},
          {"empty", Tensor(Shape{0, 2})}};
}

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

void add_graph(const Corpus& corpus, const std::string& name, const InferenceGraph& graph) {
  std::string bytes = inference::format_graph(graph, {}) + '\0';
  bytes += io::text_of(io::format_safetensors(inference::graph_arrays(graph)));
  corpus.add("graph", name, bytes);
}

/// A small network with a quantizer of each method.
void add_models(const Corpus& corpus) {
  for (const char* weights : {"lsq:3", "lsq-pot:2", "lsq-plus:8:uniform"}) {
    Model model = Sequential(Conv2D({.filters = 2, .kernel = 3}), BatchNorm(), ReLU(), Flatten(), Dense({.units = 2}));
    model.build({4, 4, 1}, 1);
    const QuantizationPlan plan =
        plan_quantization(model, test::Dice(1).tensor({8, 4, 4, 1}, 0, 1),
                          {.weights = parse_quantizer_spec(weights), .activations = parse_quantizer_spec("lsq:4")});
    const std::string name = std::string(weights).substr(0, std::string(weights).find(':'));
    corpus.add("plan", name, plan.to_json());
    add_graph(corpus, name, convert2inferable(attach_quantizers(model, plan)));
  }
}

void add_training_files(const Corpus& corpus) {
  io::Bytes records;
  for (const std::string_view text : {"first", "", "a longer record"}) {
    const io::Bytes one = io::tf_record(std::as_bytes(std::span(text)));
    records.insert(records.end(), one.begin(), one.end());
  }
  corpus.add("tfrecord", "three", records);
  const Sensitivity sensitivity{
      .loss = 0.5,
      .accuracy = 0.9,
      .weights = {.bits = 8},
      .layers = {{.layer = "conv1", .bits = 2, .bytes = 100, .macs = 5000, .loss = 0.25, .accuracy = 0.75}}};
  corpus.add("sensitivity", "one", sensitivity.to_json());
  const Checkpoint checkpoint{.model = "mlp",
                              .input_shape = {2, 2, 1},
                              .classes = 3,
                              .stage = "float",
                              .epoch = 2,
                              .step = 12,
                              .seed = 1,
                              .options = R"({"data": "d", "float": {"batch": 64}})",
                              .plan = "",
                              .state = {{"dense1/kernel", test::floats({2, 2}, {1, 2, 3, 4})}},
                              .optimizer = {{"step", Tensor::scalar(12)}},
                              .progress = {{"phase", Tensor::scalar(0, DType::int32)}}};
  corpus.add("checkpoint", "float", format_checkpoint(checkpoint));
}

#ifdef BITGRAD_FUZZ_CLI
/// What a run leaves, with everything that a report may hold.
void add_run_files(const Corpus& corpus) {
  cli::Report report;
  report.model = "mlp";
  report.hold_out = 0.1;
  report.ema = 0.999;
  report.gradual = "8:1,4:2";
  report.layers = {{.tensor = "conv1/kernel", .quantizer = "lsq", .method = "SYMMETRIC", .bits = 4}};
  corpus.add("report", "short", cli::to_json(report));
  const Histogram histogram{.low = -1, .high = 1, .counts = {1, 2}};
  report.details = cli::RunDetails{
      .class_names = {"a", "b"},
      .confusion = {{3, 1}, {0, 4}},
      .mistakes = {{.image = 3, .label = 0, .prediction = 1, .probability = 0.75, .picture = "iVBORw=="}},
      .layers = {{.layer = "conv1", .operation = "integer_conv2d", .output_shape = {4, 4, 2}}},
      .tensors = {
          {.tensor = "conv1/kernel", .quantizer = "lsq", .levels = {0, 1}, .before = histogram, .after = histogram}}};
  corpus.add("report", "details", cli::to_json(report));
  corpus.add("metrics", "two",
             cli::format_metrics({{"float", 1, 0.5, 81.25, 80, 0.001, 5000, 12.5},
                                  {"quantized", 1, 1e-9, 100, 99.5, 2e-5, 5000, 0.125}}));
  corpus.add("run", "several",
             R"({"format": "bitgrad.run", "version": 1, "model": "mlp", "epochs": 3, "lr": 0.01, "best": true,)"
             R"( "weights": "lsq:4", "seed": 18446744073709551615, "hold-out": 0.1})");
}
#endif

void add_quantizers(const Corpus& corpus) {
  corpus.add("quantizer", "symmetric",
             WeightsSymmetricInferableQuantizer(
                 {.num_bits = 4, .threshold = {1.5, 0.25}, .per_channel = true, .channel_axis = -1})
                 .to_json());
  corpus.add("quantizer", "pot",
             ActivationPOTInferableQuantizer({.num_bits = 3, .threshold = {2}, .is_signed = false}).to_json());
  corpus.add("quantizer", "uniform",
             ActivationUniformInferableQuantizer({.num_bits = 8, .min_range = {-0.5}, .max_range = {1}}).to_json());
  corpus.add("quantizer", "lut",
             WeightsLUTSymmetricInferableQuantizer({.num_bits = 2, .lut_values = {-25, 0, 25, 90}, .threshold = {2}})
                 .to_json());
}

void add_data_sets(const Corpus& corpus) {
  std::string records;
  for (const int label : {3, 9}) {
    records += static_cast<char>(label);
    for (int i = 0; i < 3 * 1024; ++i) records += static_cast<char>(label + i / 1024);
  }
  corpus.add("cifar", "two", records);

  const Tensor images = Tensor::from({2, 1, 2}, std::vector<std::uint8_t>{1, 2, 3, 255}),
               labels = Tensor::from({2, 1}, std::vector<std::int32_t>{2, 0});
  const NamedTensors splits{{"x_train", images}, {"y_train", labels}, {"x_test", images}, {"y_test", labels}};
  corpus.add("npz_dataset", "grey", io::format_npz(splits));
  corpus.add("npz_dataset", "arrays", io::format_safetensors(splits));
  corpus.add("npz_dataset", "colour",
             io::format_npz({{"x_train", Tensor::full({1, 1, 1, 3}, 7, DType::uint8)},
                             {"y_train", Tensor::from({1}, std::vector<std::uint8_t>{1})},
                             {"note", Tensor::scalar(1)}}));
  corpus.add("npz_dataset", "names",
             io::format_zip({{"x_train.npy", io::format_npy(images)},
                             {"y_train.npy", support::npy_numbers<std::uint16_t>("<u2", {2, 0})},
                             {"class_names.npy", support::npy_wide_strings('<', 3, U"catdogemu")}}));

  const auto grey = [](std::uint8_t value) { return support::png(1, 2, {value, 9}); };
  corpus.add("picture_zip", "grey",
             io::format_zip({{"cat/1.png", grey(1)}, {"cat/2.png", grey(2)}, {"dog/", {}}, {"dog/1.png", grey(3)}}));
  corpus.add("picture_zip", "jpeg",
             io::format_zip({{"a/1.jpg", support::jpeg(8, 8, {200, 30, 40})}, {".hidden/x", {}}}));
}

/// The arrays that are named anywhere in a value.
void add_arrays(const nlohmann::json& value, const io::Path& directory, NamedTensors& arrays) {
  if (value.is_structured())
    for (const nlohmann::json& part : value) add_arrays(part, directory, arrays);
  if (!value.is_string()) return;
  const std::string name = value.get<std::string>();
  if (name.ends_with(".npy") && arrays.find(name) == nullptr) arrays.add(name, io::read_npy(directory / name));
}

/// Cases of the committed golden vectors, by their ids, and the first two entries of the lists in `tables`.
void add_golden(const Corpus& corpus, const std::string& name, const std::set<std::string>& ids,
                const std::set<std::string>& tables = {}) {
  const io::Path directory = BITGRAD_TEST_DIR "/golden";
  nlohmann::json manifest{{"format_version", 1}};
  NamedTensors arrays;
  const auto all = nlohmann::json::parse(io::read_text_file(directory / "manifest.json"));
  for (const auto& [key, value] : all.items()) {
    if (tables.contains(key)) manifest[key] = value;
    if (!value.is_array()) continue;
    while (tables.contains(key) && manifest[key].size() > 2) manifest[key].erase(2);
    for (const nlohmann::json& entry : value)
      if (entry.contains("id") && ids.contains(entry["id"].get<std::string>())) {
        manifest[key].push_back(entry);
        add_arrays(entry, directory, arrays);
      }
  }
  std::string bytes = manifest.dump() + '\0';
  bytes += io::text_of(io::format_safetensors(arrays));
  corpus.add("golden", name, bytes);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) fail<ValueError>("usage: fuzz_seeds CORPUS_DIR");
  const Corpus corpus{argv[1]};
  const NamedTensors tensors = some_tensors();
  for (const auto& [name, tensor] : tensors)
    corpus.add("npy", name == "a/kernel" ? "kernel" : name, io::format_npy(tensor));
  corpus.add("npy", "int16", support::npy_numbers<std::int16_t>("<i2", {-32768, 7}));
  corpus.add("npy", "uint64", support::npy_numbers<std::uint64_t>("<u8", {0, 2147483647}));
  corpus.add("npy_strings", "wide", support::npy_wide_strings('<', 2, U"a\u00fc\u732b\U0001f408"));
  corpus.add("npy_strings", "big-endian", support::npy_wide_strings('>', 3, U"catdog"));
  corpus.add("npy_strings", "bytes", support::npy_strings({"cat", "", "H\u00fcndin"}));
  corpus.add("npz", "stored", io::format_npz(tensors));
  corpus.add("npz", "none", io::format_npz({}));
  corpus.add("safetensors", "all",
             io::format_safetensors(tensors, {{"format", "test"}, {"note", "\"quoted\" \xC3\xA9"}}));
  corpus.add("safetensors", "none", io::format_safetensors({}));
  const std::string labels("\0\0\x08\x01\0\0\0\x03\x05\x06\x07", 11),
      images("\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02\1\2\3\4", 20);
  corpus.add("idx", "labels", labels);
  corpus.add("idx", "images", images);
  corpus.add("gzip", "labels", gzipped(labels));
  corpus.add("gzip", "two", gzipped(images) + gzipped("second member"));
  corpus.add("image", "grey.png", support::png(2, 3, {0, 1, 2, 253, 254, 255}));
  corpus.add("image", "alpha.png", support::png(1, 2, {7, 8, 9, 255, 1, 2, 3, 255}, {.color_type = 6}));
  corpus.add("image", "palette.png",
             support::png(1, 3, {0b01000000},
                          {.color_type = 3, .bit_depth = 1, .chunks = support::png_chunk("PLTE", "abcdef")}));
  corpus.add("image", "grey.jpg", support::jpeg(9, 17, {77}));
  corpus.add("image", "progressive.jpg",
             support::jpeg(8, 8, {200, 30, 40}, [](auto& info) { jpeg_simple_progression(&info); }));
  corpus.add(
      "bits", "rules",
      R"({"format": "bitgrad.bits", "version": 1, "rules": [{"type": "Dense", "weights": 8}, {"layer": "conv*", "weights": "lsq-pot:2", "activations": 4}, {"layer": "x", "float": true}]})");
  for (unsigned seed : {2U, 5U, 9U, 14U})
    add_graph(corpus, "random" + std::to_string(seed), test::RandomNetwork(seed, 4).build());
  for (const RequantizationMode mode : requantization_modes()) {
    InferenceGraph graph = test::RandomNetwork(2, 4).build();
    set_requantization(graph, mode);
    add_graph(corpus, message("mode-", name_of(mode)), graph);
  }
  add_models(corpus);
  add_quantizers(corpus);
  add_training_files(corpus);
  add_data_sets(corpus);
  add_golden(corpus, "quantizers", {"inf_230", "inf_280", "trn_027", "trn_069", "ill_001", "ill_144", "leg_001"});
  add_golden(corpus, "linear", {"e2e_01"});
  add_golden(corpus, "sensitive", {"e2e_03"});
  add_golden(corpus, "convolution", {"e2e_02"});
  add_golden(corpus, "tables", {}, {"annealing", "pot_rounding", "lookups", "range_adjust"});
#ifdef BITGRAD_FUZZ_CLI
  add_run_files(corpus);
#endif
  return 0;
} catch (const std::exception& error) {
  std::cerr << "fuzz_seeds: " << error.what() << '\n';
  return 1;
}
