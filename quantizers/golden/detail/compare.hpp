// Parts of the comparison with golden vectors.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/golden/check.hpp>
#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad::golden::detail {

/// A difference: the case fails with this text.
struct Difference {
  std::string text;
};
/// The case cannot or must not be compared.
struct Skip {
  std::string reason;
};

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw Difference{message(parts...)};
}

/// Elements to leave out, and the departure that is the reason.
struct Exceptions {
  std::vector<char> excepted;
  std::string reason;
};
/// Infinities, NaN and numbers beyond what the reference can convert to an integer.
inline constexpr const char* clamped_in_float =
    "clamped in float: the reference converts NaN or too large a number to an integer";

/// Runs cases into a report and compares tensors for them.
class Runner {
 public:
  explicit Runner(Report& report) : report_(report) {}
  void run(const std::string& id, const std::function<void()>& check);
  /// Bit for bit; zeros of either sign are equal, NaN equals NaN. Counts the excepted elements that differ.
  void compare(std::string_view what, const Tensor& got, const Tensor& expected, const Exceptions& exceptions = {});

 private:
  Report& report_;
};

void compare_list(std::string_view what, const std::vector<double>& got, const std::vector<double>& expected);

template <class T>
std::vector<double> as_doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}
/// Float32 values that the reference recorded as doubles.
std::vector<double> as_floats(std::vector<double> values);

/// Passes on a Skip for `reason` when `construct` throws ValueError, and a Difference otherwise.
[[noreturn]] void expect_refusal(const std::function<void()>& construct, const std::string& reason);

/// True when an inferable class of that name is registered.
bool registered(const std::string& class_name);
/// A copy; of uniform weights one with the reference's truncated zero point.
InferablePtr with_reference_zero_point(const BaseInferableQuantizer& quantizer);

void check_inferable(Runner& runner, const InferableCase& c);
void check_trainable(Runner& runner, const TrainableCase& c);

}  // namespace bitgrad::golden::detail
