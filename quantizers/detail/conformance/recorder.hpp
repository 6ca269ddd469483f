// Gathers what the checks of one quantizer find.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/conformance.hpp>

namespace bitgrad::conformance {

class Recorder {
 public:
  Recorder(ConformanceReport& report, std::string quantizer, std::vector<Departure> departures)
      : report_(report), quantizer_(std::move(quantizer)), departures_(std::move(departures)) {}

  /// Remembers the first finding of each property.
  void find(Property property, std::string input, std::string values);
  bool found(Property property) const;
  bool declared(Property property) const;

  /// Runs a check of a property; an exception that comes out of it is a finding.
  template <class Check>
  void check(Property property, std::string_view input, Check&& f) {
    try {
      f();
    } catch (const std::exception& error) {
      find(property, std::string(input), message("an exception: ", error.what()));
    }
  }

 private:
  ConformanceReport& report_;
  std::string quantizer_;
  std::vector<Departure> departures_;
  std::vector<Property> found_;
};

}  // namespace bitgrad::conformance
