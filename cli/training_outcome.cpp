// What comes out of a run: graph, proof and reports.
#include <iostream>

#include <bitgrad/cli/digest.hpp>
#include <bitgrad/cli/html_report.hpp>
#include <bitgrad/cli/progress.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/training_run.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/verify.hpp>

namespace bitgrad::cli {

void TrainingRun::convert_and_verify(Model& model) {
  describe_quantizers();
  InferenceGraph graph = convert2inferable(model);
  graph.metadata = {{"model", arguments_.model},
                    {"weights", report_.weights},
                    {"activations", report_.activations},
                    {"seed", std::to_string(arguments_.float_training.seed)}};
  if (!arguments_.quantization.overrides.empty()) graph.metadata["bits"] = bits_json(arguments_.quantization.overrides);
  graph.save(directory_.graph().string());
  const InferenceGraph reloaded = InferenceGraph::load(directory_.graph().string());
  const VerifyReport verified = [&] {
    const TerminalLine line(message("comparing the codes of ", test_.size(), " images"));
    return verify(model, reloaded, data::to_unit_range(test_.images));
  }();

  report_.quantized_accuracy = 100 * accuracy(model, test_);
  report_.details = run_details(model, reloaded, test_);
  report_.converted_accuracy = 100 * report_.details->accuracy();
  report_.codes_compared = verified.codes_compared;
  report_.differing_codes = verified.differing_codes;
  report_.quantized_bytes = static_cast<std::int64_t>(reloaded.weight_bytes());
  describe_run();
  write_report(directory_.report(), report_);
  io::write_file_atomically(directory_.page(), std::string_view(html_report({read_run(directory_.path)})));

  say_outcome();
  if (verified.passed()) return;
  std::cout << verified.describe();
  fail<Error>("the converted model differs from the trained one in ", verified.differing_codes, " of ",
              verified.codes_compared, " codes");
}

void TrainingRun::say_outcome() const {
  std::cout << format("float accuracy %.2f %%", report_.float_accuracy);
  if (arguments_.quantizes())
    std::cout << format(", quantized %.2f %%", report_.quantized_accuracy)
              << format(", converted %.2f %%, ", report_.converted_accuracy)
              << (report_.codes_compared > 0
                      ? message(report_.differing_codes, " of ", report_.codes_compared, " codes differ")
                      : "no codes to compare: no activations are quantized");
  std::cout << "; " << directory_.path.string() << std::endl;
}

/// What is quantized, and how: as it was asked for, or with rules for single layers as they came out.
void TrainingRun::describe_quantizers() {
  const QuantizationConfig& config = arguments_.quantization;
  report_.mixed = !config.overrides.empty();
  if (!plan_.empty()) report_.layers = layer_bits(QuantizationPlan::from_json(plan_));
  report_.weights = report_.mixed ? quantizers_of(report_.layers, Quantized::kernels) : to_string(config.weights);
  report_.activations =
      report_.mixed ? quantizers_of(report_.layers, Quantized::activations) : to_string(config.activations);
}

void TrainingRun::describe_run() {
  const auto bits = [](const std::optional<QuantizerSpec>& spec) { return spec ? spec->bits : 32; };
  report_.model = arguments_.model;
  report_.data = arguments_.data;
  report_.hold_out = arguments_.hold_out;
  report_.tested_on = TestedOn{.images = test_.size(), .digest = digest(test_)};
  report_.weight_bits = bits(arguments_.quantization.weights);
  report_.activation_bits = bits(arguments_.quantization.activations);
  report_.epochs = arguments_.float_training.epochs;
  report_.qat_epochs = arguments_.quantizes() ? arguments_.quantized_training.epochs : 0;
  report_.seed = arguments_.float_training.seed;
  report_.gradual = to_string(arguments_.gradual);
  report_.ema = arguments_.float_training.ema;
  double last_seconds = 0, images = 0;
  for (const EpochMetrics& row : metrics_->rows()) {
    report_.seconds += row.seconds;
    if (row.stage != metrics_->rows().back().stage) continue;
    last_seconds += row.seconds;
    images += static_cast<double>(train_.size());
  }
  if (images > 0) report_.images_per_second = images / last_seconds;
}

}  // namespace bitgrad::cli
