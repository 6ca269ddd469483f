#include <bitgrad/qat/sensitivity.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/cost.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view format = "bitgrad.sensitivity";
constexpr int version = 1;
constexpr double most_parts = 20000;

struct Score {
  double loss = 0, accuracy = 0;
};

Score score(const Model& model, const data::Dataset& dataset) {
  Score result;
  Index correct = 0;
  for_each_batch(convert2inferable(model), dataset, [&](Index, const Tensor& logits, const Tensor& labels) {
    correct += correct_count(logits, labels);
    const Variable mean = cross_entropy(Variable(logits.to(DType::float64)), labels);
    result.loss += mean.value().item() * static_cast<double>(labels.size());
  });
  result.loss /= static_cast<double>(dataset.size());
  result.accuracy = static_cast<double>(correct) / static_cast<double>(dataset.size());
  return result;
}

Model with_one_quantized(const Model& model, const std::string& layer, const QuantizerSpec& spec,
                         const Tensor& images) {
  LayerOverride only{.pattern = layer, .weights = spec};
  return quantization_aware_training_init(
      model, images, {.weights = {}, .activations = {}, .first_last_bits = 0, .overrides = {only}});
}

/// Counts are written as doubles, which hold them exactly up to 2^53.
std::int64_t read_count(JsonReader& json, std::string_view key, std::string_view what) {
  const double value = json.number(key);
  if (!(value >= 0 && value <= 0x1p53) || value != std::floor(value))
    fail<ValueError>(what, ": \"", key, "\" is ", value, ", expected a whole number, 0 or more");
  return static_cast<std::int64_t>(value);
}

}  // namespace

Sensitivity weight_sensitivity(const Model& float_model, const data::Dataset& dataset, std::span<const int> bits,
                               const QuantizerSpec& spec) {
  data::check_dataset(dataset, "weight_sensitivity");
  if (bits.empty() || dataset.size() == 0)
    fail<ValueError>("weight_sensitivity: ", bits.size(), " bit widths and ", dataset.size(),
                     " images, expected at least one of each");
  const Score plain = score(float_model, dataset);
  const Tensor few = data::to_unit_range(dataset.images.rows(0, std::min<Index>(8, dataset.size())));
  Sensitivity result{plain.loss, plain.accuracy, spec, {}};
  for (const LayerCost& cost : layer_costs(convert2inferable(float_model))) {
    const Index channels = float_model.layer(cost.layer).weight("kernel")->value().dim(-1);
    for (const int width : bits) {
      QuantizerSpec own = spec;
      own.bits = width;
      const Score quantized = score(with_one_quantized(float_model, cost.layer, own, few), dataset);
      result.layers.push_back({.layer = cost.layer,
                               .bits = width,
                               .bytes = packed_bytes(cost.parameters, width, channels, own.per_channel ? channels : 1),
                               .macs = cost.macs,
                               .loss = quantized.loss - plain.loss,
                               .accuracy = quantized.accuracy});
    }
  }
  return result;
}

double cost_of(const LayerSensitivity& layer, Budget budget) {
  return budget == Budget::bytes ? static_cast<double>(layer.bytes) : static_cast<double>(layer.macs) * layer.bits / 8;
}

std::vector<LayerSensitivity> allocate_bits(const Sensitivity& sensitivity, Budget budget, double limit) {
  if (!(limit > 0 && std::isfinite(limit)))
    fail<ValueError>("allocate_bits: the limit is ", limit, ", expected a positive number");
  std::vector<std::vector<LayerSensitivity>> layers;  // the choices of each
  for (const LayerSensitivity& choice : sensitivity.layers) {
    if (layers.empty() || layers.back().front().layer != choice.layer) layers.emplace_back();
    layers.back().push_back(choice);
  }
  double least = 0;
  for (auto& choices : layers) {
    std::ranges::stable_sort(choices, std::less{}, [&](const auto& choice) { return cost_of(choice, budget); });
    least += cost_of(choices.front(), budget);
  }
  if (layers.empty() || least > limit)
    fail<ValueError>("allocate_bits: the smallest widths measured cost ", least, ", more than the limit of ", limit);
  // Beside the least, which every solution takes, layers compete for what is left.
  // In parts as fine as costs are, where there are not too many of them.
  const double left = limit - least, part = std::max(left / most_parts, budget == Budget::bytes ? 1.0 : 1.0 / 8);
  const auto parts = static_cast<std::size_t>(left / part + 1e-9);
  const auto taken = [&](const std::vector<LayerSensitivity>& choices, std::size_t k) {
    const double more = cost_of(choices[k], budget) - cost_of(choices.front(), budget);
    return std::ceil(more / part - 1e-9);
  };
  // best[p]: least loss of the layers so far with p parts; chosen[l][p]: the choice of layer l behind it.
  std::vector<double> best(parts + 1, 0);
  std::vector<std::vector<std::uint8_t>> chosen(layers.size(), std::vector<std::uint8_t>(parts + 1, 0));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::vector<double> next(parts + 1, std::numeric_limits<double>::infinity());
    for (std::size_t k = 0; k < layers[l].size(); ++k) {
      const double needed = taken(layers[l], k);
      if (!(needed <= static_cast<double>(parts))) continue;
      for (auto p = static_cast<std::size_t>(needed); p <= parts; ++p) {
        const double loss = best[p - static_cast<std::size_t>(needed)] + layers[l][k].loss;
        if (loss < next[p]) {
          next[p] = loss;
          chosen[l][p] = static_cast<std::uint8_t>(k);
        }
      }
    }
    best = std::move(next);
  }
  std::vector<LayerSensitivity> result(layers.size());
  std::size_t p = parts;
  for (std::size_t l = layers.size(); l-- > 0;) {
    const std::size_t k = chosen[l][p];
    result[l] = layers[l][k];
    p -= static_cast<std::size_t>(taken(layers[l], k));
  }
  return result;
}

std::string Sensitivity::to_json() const {
  JsonWriter json;
  json.add("format", format).add("version", version).add("weights", to_string(weights));
  json.add("loss", loss).add("accuracy", accuracy);
  std::vector<std::string> entries;
  for (const LayerSensitivity& each : layers)
    entries.push_back(JsonWriter()
                          .add("layer", each.layer)
                          .add("bits", each.bits)
                          .add("bytes", static_cast<double>(each.bytes))
                          .add("macs", static_cast<double>(each.macs))
                          .add("loss", each.loss)
                          .add("accuracy", each.accuracy)
                          .text());
  return json.add_objects("layers", entries).text();
}

Sensitivity Sensitivity::from_json(std::string_view text, std::string_view what) {
  JsonReader json(text, what);
  if (const std::string found = json.string("format"); found != format)
    fail<ValueError>(what, ": format is \"", found, "\", expected \"", format, '"');
  if (const int found = json.integer("version"); found != version)
    fail<ValueError>(what, ": version is ", found, ", expected ", version);
  const std::string weights = json.string("weights");
  const std::optional<QuantizerSpec> spec = parse_quantizer_spec(weights);
  if (!spec) fail<ValueError>(what, ": \"weights\" is \"", weights, "\", expected a quantizer");
  Sensitivity result{json.number("loss"), json.number("accuracy"), *spec, {}};
  for (const std::string& entry : json.objects("layers")) {
    const std::string where = message(what, ": layers[", result.layers.size(), ']');
    JsonReader reader(entry, where);
    result.layers.push_back({.layer = reader.string("layer"),
                             .bits = reader.integer("bits"),
                             .bytes = read_count(reader, "bytes", where),
                             .macs = read_count(reader, "macs", where),
                             .loss = reader.number("loss"),
                             .accuracy = reader.number("accuracy")});
    reader.finish();
  }
  json.finish();
  return result;
}

}  // namespace bitgrad
