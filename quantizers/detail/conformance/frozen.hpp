// What every frozen quantizer is checked for, whatever its levels are.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <bitgrad/quantizers/detail/conformance/checks.hpp>
#include <bitgrad/quantizers/detail/conformance/outputs.hpp>

namespace bitgrad::conformance {

class FrozenChecks {
 public:
  virtual ~FrozenChecks() = default;
  void run();

 protected:
  FrozenChecks(const BaseInferableQuantizer& q, const ConformanceOptions& options, std::string state,
               Recorder& recorder, Ruler ruler)
      : q_(q), options_(options), state_(std::move(state)), recorder_(recorder), ruler_(std::move(ruler)) {}

  /// Whether another quantizer has the same levels.
  virtual bool same_levels(const BaseInferableQuantizer& other) const = 0;
  /// What the levels are.
  virtual void check_levels() = 0;
  /// How inputs, codes and values belong together.
  virtual void check_codes(const Probe& probe) = 0;

  template <class Check>
  void check(Property property, std::string_view input, Check&& f) {
    recorder_.check(property, state_ + std::string(input), f);
  }
  void find(Property property, const std::string& input, const std::string& values) {
    recorder_.find(property, state_ + input, values);
  }

  const BaseInferableQuantizer& q_;
  const ConformanceOptions& options_;
  std::string state_;
  Recorder& recorder_;
  Ruler ruler_;

 private:
  void no_code_for_nan(const Probe& probe);
  void serialization(const Probe& probe);
};

/// Of a quantizer with a grid, and of one with a look-up table.
void check_grid(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                Recorder& recorder);
void check_table(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                 Recorder& recorder);

}  // namespace bitgrad::conformance
