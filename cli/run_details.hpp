// What report.html shows of a run beyond its headline numbers; kept in report.json under "details".
#pragma once

#include <string>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/qat/inference/cost.hpp>
#include <bitgrad/qat/quantization_statistics.hpp>

namespace bitgrad::cli {

/// A test image that the graph took for something else.
struct Mistake {
  Index image = 0;  ///< number in the test data
  int label = 0, prediction = 0;
  double probability = 0;  ///< that the graph gave its prediction (softmax of the logits), in [0, 1]
  std::string picture;     ///< PNG as base64; empty for images that are neither grey nor colour
};

struct RunDetails {
  std::vector<std::string> class_names;              ///< one per class
  std::vector<std::vector<std::int64_t>> confusion;  ///< rows: labels, columns: predictions
  std::vector<Mistake> mistakes;                     ///< the most certain first
  std::vector<LayerCost> layers;
  std::vector<QuantizedTensor> tensors;

  /// Share of the test images on the diagonal of the confusion matrix, in [0, 1].
  double accuracy() const;
};

/// Measured on all test images; tensors on the first of them.
RunDetails run_details(const Model& model, const InferenceGraph& graph, const data::Dataset& test);

/// A JSON object, and back. IoError that starts with `what` for a member that is missing, unknown or of another kind,
/// and for classes that do not go together.
std::string to_json(const RunDetails& details);
RunDetails details_from_json(const std::string& json, const std::string& what);

}  // namespace bitgrad::cli
