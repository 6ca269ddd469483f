// Error: the mark's target and the config type contradict each other: TrainableQuantizerWeightsConfig goes with
// QuantizationTarget::Weights
#include <bitgrad/quantizers/register.hpp>

using namespace bitgrad;

class Mine : public TrainableQuantizer<Mine, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::SYMMETRIC}, "mine");
  using TrainableQuantizer::TrainableQuantizer;
  void initialize_quantization(const std::optional<Shape>&, std::string_view) override {}
  Variable operator()(const Variable& x, bool) override { return x; }
  InferablePtr convert2inferable() const override { return nullptr; }
};

void start() { register_quantizer<Mine>(); }
