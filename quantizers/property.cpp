#include <bitgrad/quantizers/property.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

std::string_view name_of(Property property) {
  switch (property) {
    case Property::gradient: return "gradient";
    case Property::idempotence: return "idempotence";
    case Property::monotonicity: return "monotonicity";
    case Property::zero: return "zero";
    case Property::levels: return "levels";
    case Property::rounding: return "rounding";
    case Property::division: return "division";
    case Property::codes: return "codes";
    case Property::channel_axis: return "channel_axis";
    case Property::power_of_two: return "power_of_two";
    case Property::positive_step: return "positive_step";
    case Property::conversion: return "conversion";
    case Property::exact_conversion: return "exact_conversion";
    case Property::repeated_conversion: return "repeated_conversion";
    case Property::serialization: return "serialization";
    case Property::special_values: return "special_values";
    case Property::side_effects: return "side_effects";
    case Property::threads: return "threads";
  }
  fail<ValueError>("Property ", static_cast<int>(property), " does not exist");
}

}  // namespace bitgrad
