#include <bitgrad/qat/golden/check_all.hpp>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/golden/detail/check_end_to_end.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>

namespace bitgrad::golden {
namespace {

using namespace detail;

InferablePtr some_weight_quantizer() {
  return std::make_unique<WeightsSymmetricInferableQuantizer>(
      WeightsSymmetricInferableQuantizer::Options{.num_bits = 4, .threshold = {1}});
}

/// A wrapped layer that is built; the wrapper looks for the weight then.
void wrap(LayerPtr layer, std::string_view weight) {
  NodeQuantizationDispatcher dispatcher;
  dispatcher.add_weight_quantizer(weight, some_weight_quantizer());
  QuantizationWrapper wrapper(std::move(layer), std::move(dispatcher));
  const Shape sample{3};
  Random random(1);
  wrapper.build({&sample, 1}, random);
}

/// Weights go by name in bitgrad and by name only: positions are no names, and there is nowhere to pass values for
/// them.
void check_illegal_wrapper(const IllegalCase& c) {
  static_assert(
      !std::constructible_from<QuantizationWrapper, LayerPtr, NodeQuantizationDispatcher, std::vector<Tensor>>);
  const auto dense = [](bool bias) { return std::make_unique<Dense>(DenseOptions{.units = 2, .bias = bias}); };
  require(!refuses([&] { wrap(dense(true), "kernel"); }), "refused even without what is illegal");
  const std::map<std::string, std::function<void()>, std::less<>> attempts{
      {"integer weight key, no positional values", [&] { wrap(dense(true), "0"); }},
      {"string positional key", [&] { wrap(dense(true), "a"); }},
      {"quantizer and value keys differ", [&] { wrap(dense(true), "1"); }},
      {"positional value is not a tensor", [&] { wrap(dense(true), "0"); }},
      {"unknown attribute", [&] { wrap(dense(true), "kernal"); }},
      {"absent bias", [&] { wrap(dense(false), "bias"); }}};
  const auto found = attempts.find(c.what);
  require(found != attempts.end(), "\"", c.what, "\" is not known");
  require(refuses(found->second), "not refused: ", c.gist);
}

}  // namespace

Report check_golden(const Manifest& manifest) {
  Report report = check_quantizers(manifest);
  Runner runner(report);
  for (const EndToEndCase& c : manifest.end_to_end) runner.run(c.id, [&] { check_end_to_end(c); });
  for (const IllegalCase& c : manifest.illegal)
    if (c.kind == IllegalCase::Kind::wrapper) runner.run(c.id, [&] { check_illegal_wrapper(c); });
  return report;
}

}  // namespace bitgrad::golden
