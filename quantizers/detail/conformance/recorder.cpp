#include <bitgrad/quantizers/detail/conformance/recorder.hpp>

#include <algorithm>

namespace bitgrad::conformance {

void Recorder::find(Property property, std::string input, std::string values) {
  if (found(property)) return;
  found_.push_back(property);
  auto& list = declared(property) ? report_.declared : report_.findings;
  list.push_back({property, quantizer_, std::move(input), std::move(values)});
}

bool Recorder::found(Property property) const { return std::ranges::find(found_, property) != found_.end(); }

bool Recorder::declared(Property property) const {
  return std::ranges::find(departures_, property, &Departure::property) != departures_.end();
}

}  // namespace bitgrad::conformance
