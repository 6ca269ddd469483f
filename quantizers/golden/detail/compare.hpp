// Parts of the comparison with golden vectors.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/golden/check.hpp>
#include <bitgrad/quantizers/inferable.hpp>
#include <bitgrad/quantizers/trainable.hpp>

namespace bitgrad::golden::detail {

/// A difference: the case fails with this text.
struct Difference {
  std::string text;
};
/// The case cannot be compared, because of a documented departure.
struct Skip {
  std::string reason;
};

/// The departures that whole cases fall under, by their number in quantizers/README.md.
inline constexpr const char* refused_parameters =
    "departure 2: thresholds must be finite and positive, ranges finite with min < max, bits 1 to 16";
inline constexpr const char* negative_axes = "departure 6: negative axes count from the end";
inline constexpr const char* one_bit_signed =
    "departure 8: 1 bit signed has an infinite gradient scale in the reference's LSQ";
/// And those that elements fall under.
inline constexpr const char* clamped_in_float =
    "departure 1: clamped in float, where the reference converts NaN or too large a number to an integer";
inline constexpr const char* saturating_clamp =
    "departure 1: saturating clamp, where the reference loses its bounds for huge inputs and gives NaN for infinities";

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw Difference{message(parts...)};
}

/// The shortest text that reads back to the same bits.
std::string exact(float value);
std::string exact(double value);

/// Elements to leave out, and the departure that is the reason.
struct Exceptions {
  std::vector<char> excepted = {};
  std::string reason = {};
};

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
/// |got - expected| <= atol + rtol |expected| for every element; NaN equals NaN.
void compare_close(std::string_view what, const Tensor& got, const Tensor& expected, double rtol, double atol);

template <class T>
std::vector<double> as_doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}
/// Float32 values that the reference recorded as doubles.
std::vector<double> as_floats(std::vector<double> values);

/// Runs `attempt`. True when it throws ValueError, ShapeError or StateError, which is how bitgrad refuses bad input;
/// false when it does not throw; a Difference for any other exception.
bool refuses(const std::function<void()>& attempt);
/// Passes on a Skip for `reason` when `construct` is refused, and a Difference otherwise.
[[noreturn]] void expect_refusal(const std::function<void()>& construct, const std::string& reason);

/// The quantizer of a "class" and its arguments as the manifest has them, not finite numbers included. Throws what its
/// constructor or inferable_from_json() throws.
InferablePtr construct(std::string_view json);
/// The trainable quantizer of that class; ValueError when it is not registered or takes configurations of the other
/// target.
TrainablePtr construct(const TrainableSpec& spec);
/// A copy; of uniform weights one with the reference's truncated zero point.
InferablePtr with_reference_zero_point(const BaseInferableQuantizer& quantizer);

/// Whether departure 2 refuses these constructor arguments. `might` is for steps below the normal numbers of float32,
/// which bitgrad refuses where it has no grid.
enum class Refusal { no, might, must };
Refusal refused_on_purpose(std::string_view json);

void check_inferable(Runner& runner, const InferableCase& c);
void check_trainable(Runner& runner, const TrainableCase& c);
void check_illegal(const IllegalCase& c);
void check_legal(const LegalCase& c);

}  // namespace bitgrad::golden::detail
