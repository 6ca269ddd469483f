#include <bitgrad/cli/run_details.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/core/io/image.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Index images_for_tensors = 128;
constexpr std::size_t most_mistakes = 24;

/// RFC 4648, section 4.
std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string picture_of(const data::Dataset& test, Index image) {
  const Tensor pixels = test.images.rows(image, image + 1).reshape(test.images.shape().without_front());
  if (pixels.dim(2) != 1 && pixels.dim(2) != 3) return "";
  return base64(io::encode_png(pixels));
}

void add_predictions(RunDetails& details, const InferenceGraph& graph, const data::Dataset& test) {
  const auto classes = static_cast<std::size_t>(test.classes);
  details.confusion.assign(classes, std::vector<std::int64_t>(classes));
  for_each_batch(graph, test, [&](Index first, const Tensor& logits, const Tensor& labels) {
    const Tensor counts = confusion_matrix(logits, labels), predicted = predictions(logits);
    const Tensor probabilities = softmax(Variable(logits.to(DType::float64))).value();
    for (Index i = 0; i < counts.size(); ++i)
      details.confusion[static_cast<std::size_t>(i) / classes][static_cast<std::size_t>(i) % classes] +=
          counts.data<std::int32_t>()[i];
    for (Index i = 0; i < labels.size(); ++i) {
      const int label = labels.data<std::int32_t>()[i], prediction = predicted.data<std::int32_t>()[i];
      if (label == prediction) continue;
      const double probability = probabilities.data<double>()[i * test.classes + prediction];
      details.mistakes.push_back({first + i, label, prediction, probability, ""});
    }
  });
  std::ranges::stable_sort(details.mistakes, std::greater{}, &Mistake::probability);
  details.mistakes.resize(std::min(details.mistakes.size(), most_mistakes));
  for (Mistake& mistake : details.mistakes) mistake.picture = picture_of(test, mistake.image);
}

Json json_of(const Histogram& histogram) {
  return {{"low", histogram.low}, {"high", histogram.high}, {"counts", histogram.counts}};
}

Histogram histogram_of(const std::string& text, const std::string& what) {
  JsonReader json(text, what);
  Histogram histogram{json.number("low"), json.number("high"), json.integers("counts")};
  json.finish();
  return histogram;
}

Json json_of(const QuantizedTensor& t) {
  return {
      {"tensor", t.tensor},          {"quantizer", t.quantizer}, {"weights", t.weights}, {"bits", t.bits},
      {"minimum", t.minimum},        {"maximum", t.maximum},     {"low", t.low},         {"high", t.high},
      {"clipped", t.clipped},        {"sqnr", t.sqnr},           {"levels", t.levels},   {"per_channel", t.per_channel},
      {"before", json_of(t.before)}, {"after", json_of(t.after)}};
}

QuantizedTensor tensor_of(const std::string& text, const std::string& what) {
  JsonReader json(text, what);
  QuantizedTensor tensor{.tensor = json.string("tensor"),
                         .quantizer = json.string("quantizer"),
                         .weights = json.boolean("weights"),
                         .bits = json.integer("bits"),
                         .per_channel = json.boolean("per_channel"),
                         .minimum = json.number("minimum"),
                         .maximum = json.number("maximum"),
                         .low = json.number("low"),
                         .high = json.number("high"),
                         .clipped = json.number("clipped"),
                         .sqnr = json.number("sqnr"),
                         .levels = json.numbers("levels"),
                         .before = histogram_of(json.object("before"), what + ": before"),
                         .after = histogram_of(json.object("after"), what + ": after")};
  json.finish();
  return tensor;
}

Json json_of(const LayerCost& c) {
  const auto extents = c.output_shape.extents();
  return {{"layer", c.layer},
          {"operation", c.operation},
          {"output_shape", std::vector<Index>(extents.begin(), extents.end())},
          {"weight_bits", c.weight_bits},
          {"output_bits", c.output_bits},
          {"parameters", c.parameters},
          {"biases", c.biases},
          {"macs", c.macs},
          {"bytes", c.bytes}};
}

LayerCost cost_of(const std::string& text, const std::string& what) {
  JsonReader json(text, what);
  LayerCost cost{.layer = json.string("layer"),
                 .operation = json.string("operation"),
                 .output_shape = Shape(json.integers("output_shape")),
                 .weight_bits = json.integer("weight_bits"),
                 .output_bits = json.integer("output_bits"),
                 .parameters = json.integer64("parameters"),
                 .biases = json.has("biases") ? json.integer64("biases") : 0,  // reports of before do not say
                 .macs = json.integer64("macs"),
                 .bytes = json.integer64("bytes")};
  json.finish();
  return cost;
}

Mistake mistake_of(const std::string& text, const std::string& what) {
  JsonReader json(text, what);
  Mistake mistake{.image = json.integer64("image"),
                  .label = json.integer("label"),
                  .prediction = json.integer("prediction"),
                  .probability = json.number("probability"),
                  .picture = json.string("picture")};
  json.finish();
  return mistake;
}

/// The objects of a list, each read by f(text, "report.json: details: tensors[3]").
template <class F>
auto each_of(JsonReader& json, const char* list, const std::string& what, F f) {
  std::vector<decltype(f(std::string(), what))> result;
  for (const std::string& text : json.objects(list))
    result.push_back(f(text, message(what, ": ", list, '[', result.size(), ']')));
  return result;
}

void check_classes(const RunDetails& details, const std::string& what) {
  const std::size_t classes = details.class_names.size();
  const auto is_class = [&](int c) { return c >= 0 && static_cast<std::size_t>(c) < classes; };
  for (const Mistake& mistake : details.mistakes)
    if (!is_class(mistake.label) || !is_class(mistake.prediction))
      fail<IoError>(what, ": a mistake takes class ", mistake.label, " for ", mistake.prediction, ", there are ",
                    classes, " classes");
  const auto fits = [&](const auto& row) { return row.size() == classes; };
  if (details.confusion.size() != classes || !std::ranges::all_of(details.confusion, fits))
    fail<IoError>(what, ": confusion is no table of ", classes, " by ", classes, " classes");
}

}  // namespace

double RunDetails::accuracy() const {
  std::int64_t right = 0, all = 0;
  for (std::size_t label = 0; label < confusion.size(); ++label) {
    right += confusion[label][label];
    all += std::accumulate(confusion[label].begin(), confusion[label].end(), std::int64_t{0});
  }
  return static_cast<double>(right) / static_cast<double>(all);
}

RunDetails run_details(const Model& model, const InferenceGraph& graph, const data::Dataset& test) {
  RunDetails details{.class_names = test.class_names, .confusion = {}, .mistakes = {}, .layers = {}, .tensors = {}};
  for (int c = static_cast<int>(details.class_names.size()); c < test.classes; ++c)
    details.class_names.push_back(std::to_string(c));
  add_predictions(details, graph, test);
  details.layers = layer_costs(graph);
  const Index images = std::min(images_for_tensors, test.size());
  details.tensors = quantization_statistics(model, data::to_unit_range(test.images.rows(0, images)));
  return details;
}

std::string to_json(const RunDetails& details) {
  Json json = {{"class_names", details.class_names}, {"confusion", details.confusion}};
  for (const char* list : {"mistakes", "layers", "tensors"}) json[list] = Json::array();
  for (const Mistake& m : details.mistakes)
    json["mistakes"].push_back({{"image", m.image},
                                {"label", m.label},
                                {"prediction", m.prediction},
                                {"probability", m.probability},
                                {"picture", m.picture}});
  for (const LayerCost& cost : details.layers) json["layers"].push_back(json_of(cost));
  for (const QuantizedTensor& tensor : details.tensors) json["tensors"].push_back(json_of(tensor));
  return json.dump();
}

RunDetails details_from_json(const std::string& text, const std::string& what) try {
  JsonReader json(text, what);
  RunDetails details{.class_names = json.strings("class_names"),
                     .confusion = json.integer_rows("confusion"),
                     .mistakes = each_of(json, "mistakes", what, mistake_of),
                     .layers = each_of(json, "layers", what, cost_of),
                     .tensors = each_of(json, "tensors", what, tensor_of)};
  json.finish();
  check_classes(details, what);
  return details;
} catch (const ValueError& error) {
  throw IoError(error.what());
} catch (const ShapeError& error) {
  fail<IoError>(what, ": ", error.what());
}

}  // namespace bitgrad::cli
