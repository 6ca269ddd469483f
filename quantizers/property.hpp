// What is expected of every quantizer, by name, and how a class says where it departs from that.
#pragma once

#include <string>
#include <string_view>

namespace bitgrad {

/// Checked by check_quantizer() (conformance.hpp). `x`, scale and zero point are those of the grid (grid.hpp).
enum class Property {
  gradient,             ///< gradients are those of the declared surrogate, in double, and the same in float32
  idempotence,          ///< quantizing twice is quantizing once
  monotonicity,         ///< a larger input never gives a smaller output
  zero,                 ///< zero is on the grid and stays zero
  levels,               ///< at most 2^bits different outputs per channel
  rounding,             ///< half to even, before the zero point is added
  division,             ///< x / scale is a division, not a multiplication by 1 / scale
  codes,                ///< codes follow the grid's rule, and the values of codes have those codes
  channel_axis,         ///< parameters differ along the configured axis and along no other
  power_of_two,         ///< method POWER_OF_TWO: steps are powers of two, while training as well
  positive_step,        ///< whatever an optimizer makes of the variables: a positive step, or an exception
  conversion,           ///< the trained forward pass is the converted quantizer, apart from ties and the last bits
  exact_conversion,     ///< the same, to the bit
  repeated_conversion,  ///< conversion changes nothing and can be repeated; so can copies
  serialization,        ///< describes itself in one line; JSON reads back to the same quantizer
  special_values,       ///< constant, tiny, huge and infinite inputs; NaN stays NaN, changes nothing else, has no code
  side_effects,         ///< inputs stay as they are
  threads,              ///< the same bytes for any number of threads
};

/// "gradient", "exact_conversion".
std::string_view name_of(Property property);

/// A property that a quantizer does not have, declared by its class, and why.
struct Departure {
  Property property{};
  std::string why;
};

}  // namespace bitgrad
