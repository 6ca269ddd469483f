#include <bitgrad/cli/bench/workload.hpp>

#include <CLI/App.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/idle_options.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

namespace bitgrad::cli {
namespace {

struct Mode {
  std::string name, quantizer;  // no quantizer: float
};

const std::vector<Mode>& modes() {
  static const std::vector<Mode> all{{"float", ""}, {"ste", "mct-ste"}, {"lsq", "lsq"}};
  return all;
}

std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const Mode& mode : modes()) names.push_back(mode.name);
  return names;
}

const std::string& quantizer_of(const std::string& mode) {
  return std::ranges::find(modes(), mode, &Mode::name)->quantizer;
}

}  // namespace

void Workload::declare(CLI::App& command) {
  const char* group = "The work";
  command.add_option("--model", model, "Model: " + joined(models::names()))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command.add_option("--mode", mode, "Quantizers: " + joined(mode_names()))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command.add_option("--bits", bits, "Bits of weights and activations")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command.add_option("--width", width, "Times the model's filters and units")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command.add_option("--batch", batch, "Images per step")->type_name("N")->capture_default_str()->group(group);
}

void Workload::check() const {
  require_model(model);
  require_known("mode", mode, mode_names());
  if (bits < 1 || bits > 16) fail<UsageError>("--bits ", bits, ": expected 1 to 16");
  if (width < 1 || width > 64) fail<UsageError>("--width ", width, ": expected 1 to 64");
  if (batch < 1) fail<UsageError>("--batch ", batch, ": expected at least 1");
}

void Workload::refuse_idle(const CLI::App& command) const {
  refuse_idle_options(typed_options(command), {{"--bits", mode != "float", "--mode ste or lsq"}});
}

Shape Workload::input_shape() const { return models::usual_input_shape(model); }

Model Workload::make() const {
  Model result = models::make(model, input_shape(), workload_classes, width);
  result.build(input_shape(), 1);
  const std::string& quantizer = quantizer_of(mode);
  if (quantizer.empty()) return result;
  constexpr Index representative = 16;  // few: what calibration needs of memory is not to be the peak
  const data::Dataset images = synthetic_dataset(input_shape(), workload_classes, representative);
  const QuantizerSpec spec{.quantizer = quantizer, .bits = bits};
  return quantization_aware_training_init(result, data::to_unit_range(images.images),
                                          {.weights = spec, .activations = spec});
}

std::string Workload::describe() const {
  const std::string times = width == 1 ? "" : message(" x", width);
  const std::string numbers = mode == "float" ? "" : message(' ', bits, " bits");
  return message(model, times, ' ', input_shape(), ", ", mode, numbers, ", batch ", batch);
}

std::string Workload::to_json() const {
  return nlohmann::ordered_json{
      {"model", model}, {"width", width}, {"mode", mode}, {"bits", mode == "float" ? 32 : bits}, {"batch", batch}}
      .dump();
}

data::Dataset synthetic_dataset(const Shape& image, Index classes, Index samples) {
  Random random(1);
  data::Dataset dataset{.images = Tensor(image.prepended(samples), DType::uint8),
                        .labels = Tensor({samples}, DType::int32),
                        .classes = static_cast<int>(classes),
                        .class_names = {}};
  for (std::uint8_t& pixel : dataset.images.span<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.below(256));
  for (std::int32_t& label : dataset.labels.span<std::int32_t>())
    label = static_cast<std::int32_t>(random.below(classes));
  return dataset;
}

}  // namespace bitgrad::cli
