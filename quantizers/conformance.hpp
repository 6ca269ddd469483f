// Is it a quantizer? Checks of everything that the rest of bitgrad relies on, for whoever writes one: property by
// property, each finding with the input that shows it.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/quantizers/property.hpp>
#include <bitgrad/quantizers/register.hpp>

namespace bitgrad {

struct ConformanceOptions {
  /// Bit widths in which a whole class is built; what its constructor refuses is reported, not counted as wrong.
  std::vector<int> bits = {1, 2, 3, 4, 8, 16};
  /// Numbers of threads that have to give the same bytes; none: not checked.
  std::vector<int> threads = {1, 2, 3, 7};
  /// Rank of the tensors that an inferable quantizer is probed with: 2 to 6, more than its channel axis.
  int rank = 3;
  std::uint64_t seed = 1;
};

/// One property that does not hold.
struct ConformanceFinding {
  Property property{};
  std::string quantizer;  ///< class and configuration
  std::string input;      ///< what shows it: state of the variables, element, value
  std::string values;     ///< what came out, what was expected
};

struct ConformanceReport {
  std::vector<ConformanceFinding> findings;  ///< the first of each property and quantizer
  std::vector<ConformanceFinding> declared;  ///< the same, where the class has declared the departure
  std::vector<std::string> refused;          ///< configurations that the constructor refuses, with its message
  Index quantizers = 0;                      ///< how many were checked

  /// Something was checked, and nothing is wrong.
  bool passed() const { return findings.empty() && quantizers > 0; }
  bool finds(Property property) const;
  bool declares(Property property) const;
  /// For a person: findings in full, then departures and refusals in one line each.
  std::string describe() const;
  /// Appends another report.
  void add(ConformanceReport other);
};

/// Checks one trainable quantizer as it is configured, on copies of it; `quantizer` need not be initialised and stays
/// as it is. Its converted form is checked as well. No tape may be in scope (StateError); the number of threads is
/// changed meanwhile.
ConformanceReport check_quantizer(const BaseTrainableQuantizer& quantizer, const ConformanceOptions& options = {});

/// Checks one inferable quantizer by itself.
ConformanceReport check_quantizer(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options = {});

/// Checks a trainable class in every method of its mark and every bit width: weights per tensor and per channel, along
/// the last and the first axis, activations signed and unsigned.
ConformanceReport check_quantizer(const TrainableEntry& entry, const ConformanceOptions& options = {});

/// The same for every class that is registered under an identifier ("lsq"); ValueError with the nearest when none is.
ConformanceReport check_quantizer(std::string_view identifier, const ConformanceOptions& options = {});

/// The same for a class, which need not be registered: `check_quantizer<Mine>()`.
template <std::derived_from<BaseTrainableQuantizer> Q>
ConformanceReport check_quantizer(const ConformanceOptions& options = {}) {
  return check_quantizer(detail::trainable_entry<Q>(), options);
}

}  // namespace bitgrad
