#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::golden::detail {
namespace {

template <class Entries>
auto entry_of(const Entries& entries, const std::string& class_name) {
  for (const auto& entry : entries)
    if (entry.class_name == class_name) return entry;
  throw Difference{message("there is no quantizer ", class_name)};
}

/// Values without a pattern, below and above zero.
Tensor some_input(const Shape& shape) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x.data<float>()[i] = 0.37F * static_cast<float>(i % 7) - 1.1F;
  return x;
}

/// Departure 6: passes on a Skip when the quantizer has a negative axis and does what the axis from the front does.
void accept_negative_axis(const IllegalCase& c, const BaseInferableQuantizer& quantizer, const Tensor& x) {
  const Node arguments = Node::parse(c.json, c.id);
  if (!arguments.has("channel_axis") || arguments.at("channel_axis").is_null()) return;
  const Index axis = arguments.at("channel_axis").integer();
  if (axis >= 0) return;
  std::string from_front = "{";
  for (const auto& [key, value] : arguments.members())
    from_front += message(from_front.size() > 1 ? "," : "", "\"", key,
                          "\":", key == "channel_axis" ? message(axis + x.rank()) : value.dump());
  const Tensor expected = (*construct(from_front + "}"))(x), got = quantizer(x);
  for (Index i = 0; i < x.size(); ++i)
    require(got.data<float>()[i] == expected.data<float>()[i], "channel_axis ", axis, ": output[", i, "] is ",
            exact(got.data<float>()[i]), ", with the axis counted from the front ", exact(expected.data<float>()[i]));
  throw Skip{negative_axes};
}

void check_illegal_inferable(const IllegalCase& c) {
  entry_of(inferable_quantizers(), Node::parse(c.json, c.id).at("class").string());
  InferablePtr quantizer;
  if (refuses([&] { quantizer = construct(c.json); })) return;
  require(c.stage == IllegalCase::Stage::call && c.input_shape, "not refused: ", c.gist);
  const Tensor x = some_input(*c.input_shape);
  if (refuses([&] { (*quantizer)(x); })) return;
  accept_negative_axis(c, *quantizer, x);
  throw Difference{message("not refused when called: ", c.gist)};
}

/// Whatever the class needs, for cases that are illegal for another reason than their configuration.
TrainableSpec suitable_spec(const TrainableEntry& entry) {
  TrainableSpec spec{.class_name = entry.class_name,
                     .weights = entry.weights != nullptr,
                     .weights_config = {},
                     .activation_config = {}};
  const auto fill = [&](BaseQuantizerConfig& config) {
    config.method = entry.mark.methods[0];
    for (const auto& [key, value] :
         {std::pair{"threshold", 1.0}, {"is_signed", 1.0}, {"range_min", -1.0}, {"range_max", 1.0}})
      config.quantization_params[key] = Tensor::full(Shape{1}, value, DType::float64);
  };
  fill(spec.weights_config);
  fill(spec.activation_config);
  spec.weights_config.weights_per_channel_threshold = false;
  return spec;
}

void check_illegal_trainable(const IllegalCase& c) {
  using Stage = IllegalCase::Stage;
  const TrainableEntry entry = entry_of(trainable_quantizers(), c.quantizer.class_name);
  TrainableSpec spec = c.has_config ? c.quantizer : suitable_spec(entry);
  if (!c.has_config) {
    require(c.what == "freeze option", "no configuration, and \"", c.what, "\" is not known");
    require(!refuses([&] { construct(spec); }), "refused even without what is illegal");
    spec.freeze = true;
  }
  TrainablePtr quantizer;
  if (refuses([&] { quantizer = construct(spec); })) return;
  require(c.stage != Stage::construct, "not refused: ", c.gist);
  const bool initialized = c.what != "call before initialize";
  if (initialized &&
      refuses([&] { quantizer->initialize_quantization(spec.weights ? c.input_shape : std::nullopt, "w"); }))
    return;
  if (c.stage == Stage::convert) {
    require(refuses([&] { quantizer->convert2inferable(); }), "not refused when converted: ", c.gist);
    return;
  }
  require(c.input_shape.has_value(), "no input_shape");
  require(refuses([&] { (*quantizer)(Variable(some_input(*c.input_shape)), true); }),
          "not refused when called: ", c.gist);
}

}  // namespace

void check_illegal(const IllegalCase& c) {
  if (c.kind == IllegalCase::Kind::inferable) check_illegal_inferable(c);
  if (c.kind == IllegalCase::Kind::trainable) check_illegal_trainable(c);
}

void check_legal(const LegalCase& c) {
  if (refused_on_purpose(c.json) == Refusal::must) expect_refusal([&] { construct(c.json); }, refused_parameters);
  construct(c.json);
}

}  // namespace bitgrad::golden::detail
