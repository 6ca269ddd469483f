// report.json: what came out of a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/cli/run_details.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/qat/plan.hpp>

namespace bitgrad::cli {

/// One quantizer of a model.
struct LayerBits {
  std::string tensor;     ///< "conv1/kernel", "relu1/out"
  std::string quantizer;  ///< "lsq"
  std::string method;     ///< "SYMMETRIC"
  int bits = 0;
};

/// Weights in order of execution, then activations.
std::vector<LayerBits> layer_bits(const QuantizationPlan& plan);

/// The images that accuracies are of.
struct TestedOn {
  std::int64_t images = 0;
  std::string digest;  ///< of images and labels, as digest() gives it
};

/// report.json. Accuracies in percent.
struct Report {
  std::string model, data;
  std::string weights, activations;  ///< as given to --weights and --activations; with rules as quantizers_of() says
  int weight_bits = 32, activation_bits = 32;
  std::int64_t epochs = 0, qat_epochs = 0;
  double float_accuracy = 0;      ///< of the float model
  double quantized_accuracy = 0;  ///< of evaluate(model) after quantization-aware training
  double converted_accuracy = 0;  ///< of the graph, saved and loaded again
  std::int64_t codes_compared = 0, differing_codes = 0;
  std::int64_t parameters = 0, float_bytes = 0, quantized_bytes = 0;
  double images_per_second = 0;  ///< while training, of the last stage
  double seconds = 0;            ///< of training, all stages of this run
  std::uint64_t seed = 0;

  double ema = 0;                     ///< decay of the average of weights that this is; 0: none
  std::string gradual;                ///< phases of fewer and fewer bits, as to_string() gives them; empty: none
  std::optional<double> hold_out;     ///< share of the training images that accuracies are of; none: of the test images
  std::optional<TestedOn> tested_on;  ///< absent in reports from before it was kept
  bool mixed = false;                 ///< single layers have bits of their own, from --bits
  std::vector<LayerBits> layers;      ///< every quantizer of the model
  std::optional<RunDetails> details;  ///< absent in reports from before report.html

  bool quantized() const { return weight_bits < 32 || activation_bits < 32 || mixed; }
};

enum class Quantized { kernels, activations };

/// The quantizers of single layers with the range of their bits, "lsq, lsq-pot:2..8"; "none" where there are none.
std::string quantizers_of(const std::vector<LayerBits>& layers, Quantized which);

/// "4 / 8": bits of weights and activations, "float" for none; of a mixed run their ranges, "2..8 / 8 mixed".
std::string bits_of(const Report& report);

/// With the versions of this program and of what it computes with.
std::string to_json(const Report& report);
/// IoError that starts with `what`, the file's name, and names the field that is missing, unknown or of another kind.
Report report_from_json(std::string_view text, const std::string& what);

void write_report(const io::Path& path, const Report& report);
/// report_from_json() of a run's file; IoError that says so when the run is not finished.
Report read_report(const RunDirectory& run);

/// Whether accuracies of the two are of the same images, so that they compare: those of the same digest or, where a
/// report has none, the same share held out of the same data.
bool tested_alike(const Report& a, const Report& b);

/// A report beside others, for the time of a call.
struct NamedReport {
  std::string name;  ///< of its run
  const Report* report;
};

/// Which runs were tested on what, "a, b: test images of mnist (10000, digest 0123456789abcdef); c: ...", for runs that
/// are not all tested_alike(); empty for runs that are.
std::string different_images(const std::vector<NamedReport>& runs);

}  // namespace bitgrad::cli
