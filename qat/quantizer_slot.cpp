#include <bitgrad/qat/quantizer_slot.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

template <class Pointer>
Pointer not_null(Pointer quantizer) {
  if (!quantizer) fail<ValueError>("QuantizerSlot: the quantizer is null");
  return quantizer;
}

}  // namespace

QuantizerSlot::QuantizerSlot(TrainablePtr quantizer) : quantizer_(not_null(std::move(quantizer))) {}
QuantizerSlot::QuantizerSlot(InferablePtr quantizer)
    : quantizer_(std::shared_ptr<const BaseInferableQuantizer>(not_null(std::move(quantizer)))) {}
QuantizerSlot::QuantizerSlot(std::shared_ptr<const BaseInferableQuantizer> quantizer)
    : quantizer_(not_null(std::move(quantizer))) {}

QuantizerSlot::QuantizerSlot(const QuantizerSlot& other) { *this = other; }

QuantizerSlot& QuantizerSlot::operator=(const QuantizerSlot& other) {
  if (const BaseTrainableQuantizer* trainable = other.trainable())
    quantizer_ = trainable->clone();
  else
    quantizer_ = std::get<1>(other.quantizer_);
  return *this;
}

const QuantizerMark& QuantizerSlot::marks() const {
  if (const BaseTrainableQuantizer* learning = trainable()) return learning->marks();
  return std::get<1>(quantizer_)->marks();
}

BaseTrainableQuantizer* QuantizerSlot::trainable() const {
  const auto* held = std::get_if<TrainablePtr>(&quantizer_);
  return held ? held->get() : nullptr;
}

void QuantizerSlot::initialize(const std::optional<Shape>& shape, std::string_view name) {
  if (BaseTrainableQuantizer* learning = trainable(); learning && learning->variables().empty())
    learning->initialize_quantization(shape, name);
}

Variable QuantizerSlot::operator()(const Pending& x, bool training) const {
  if (BaseTrainableQuantizer* learning = trainable()) return learning->quantize_pending(x, training);
  return Variable((*std::get<1>(quantizer_))(x.value().value()));
}

std::shared_ptr<const BaseInferableQuantizer> QuantizerSlot::inferable() const {
  const BaseTrainableQuantizer* learning = trainable();
  if (!learning) return std::get<1>(quantizer_);
  std::shared_ptr<const BaseInferableQuantizer> converted = learning->convert2inferable();
  if (!converted)
    fail<ValueError>("quantizer ", describe(marks()),
                     ": convert2inferable() returned null, expected an inferable quantizer");
  if (converted->marks().target != marks().target)
    fail<ValueError>("quantizer ", describe(marks()), ": convert2inferable() returned a ", converted->type(),
                     ", which is for ", name_of(converted->marks().target));
  return converted;
}

void QuantizerSlot::convert() {
  if (is_trainable()) quantizer_ = inferable();
}

std::vector<ParameterPtr> QuantizerSlot::parameters() const {
  std::vector<ParameterPtr> result;
  if (const BaseTrainableQuantizer* learning = trainable())
    for (const auto& variable : learning->variables()) result.push_back(variable.parameter);
  return result;
}

}  // namespace bitgrad
