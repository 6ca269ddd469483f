// Error: the mark of this quantizer class has an identifier that the command line cannot take; expected lower-case
// letters
#include <bitgrad/quantizers/register.hpp>

using namespace bitgrad;

class Mine : public TrainableQuantizer<Mine, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "Mine:4");
  using TrainableQuantizer::TrainableQuantizer;
  void initialize_quantization(const std::optional<Shape>&, std::string_view) override {}
  Variable operator()(const Variable& x, bool) override { return x; }
  InferablePtr convert2inferable() const override { return nullptr; }
};

void start() { register_quantizer<Mine>(); }
