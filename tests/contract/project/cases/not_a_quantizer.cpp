// Error: register_quantizer<Q>(): Q must derive from BaseTrainableQuantizer, or from BaseInferableQuantizer
#include <bitgrad/quantizers/register.hpp>

using namespace bitgrad;

struct Mine {
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "mine");
};

void start() { register_quantizer<Mine>(); }
