#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad::detail {

void check_config(const BaseQuantizerConfig& config, const QuantizerMark& mark, std::string_view class_name) {
  if (!mark.serves(config.method))
    fail<ValueError>(class_name, ": the config's method is ", name_of(config.method),
                     ", expected one of its mark: ", describe(mark));
  if (config.n_bits < 1 || config.n_bits > 16)
    fail<ValueError>(class_name, ": n_bits is ", config.n_bits, ", expected 1 to 16");
}

}  // namespace bitgrad::detail
