// Error: the mark of this quantizer class names no QuantizationMethod, expected at least one
#include <bitgrad/quantizers/register.hpp>

using namespace bitgrad;

class Mine : public TrainableQuantizer<Mine, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(QuantizationTarget::Weights, {}, "mine");
  using TrainableQuantizer::TrainableQuantizer;
  void initialize_quantization(const std::optional<Shape>&, std::string_view) override {}
  Variable operator()(const Variable& x, bool) override { return x; }
  InferablePtr convert2inferable() const override { return nullptr; }
};

void start() { register_quantizer<Mine>(); }
