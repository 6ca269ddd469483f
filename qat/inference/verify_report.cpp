// VerifyReport for people.
#include <bitgrad/qat/inference/verify.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <iomanip>

namespace bitgrad {
namespace {

template <class Rows, class Name>
int widest(const Rows& rows, std::string_view title, Name&& name) {
  std::size_t width = title.size();
  for (const auto& row : rows) width = std::max(width, name(row).size());
  return static_cast<int>(width) + 2;
}

void describe_certificates(std::ostream& out, const std::vector<LayerCertificate>& certificates) {
  const int width = widest(certificates, "layer", [](const auto& c) -> const std::string& { return c.layer; });
  out << '\n'
      << std::left << std::setw(width) << "layer" << std::right << std::setw(18) << "worst accumulator" << std::setw(9)
      << "channel"
      << "  int32  float32\n";
  for (const LayerCertificate& c : certificates)
    out << std::left << std::setw(width) << c.layer << std::right << std::setw(18) << c.worst_accumulator
        << std::setw(9) << c.channel << (c.int32_safe ? "  safe " : "  UNSAFE")
        << (c.float32_exact ? "  exact" : "  in blocks") << '\n';
  out << "worst: the largest sum that any input can bring about, and one does; exact: float32 holds all of them, "
         "which\n"
         "otherwise are summed in blocks\n";
}

std::string shortest(float value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string value_text(CodeDifference::Kind kind, std::int32_t bits) {
  return kind == CodeDifference::Kind::code ? std::to_string(bits) : shortest(std::bit_cast<float>(bits));
}

/// The last axis counts channels; those of an image are y, x and channel.
std::string axis_name(int axis, int rank) {
  if (axis == rank - 1) return "channel";
  if (rank == 3) return axis == 0 ? "y" : "x";
  return rank == 2 ? "position" : message("axis ", axis);
}

/// The place of a sample's element along each axis: "y 4, x 0, channel 2".
std::string place_text(const Shape& shape, Index element) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const Index place = element % shape[axis];
    element /= shape[axis];
    text = message(axis_name(axis, shape.rank()), ' ', place, text.empty() ? "" : ", ", text);
  }
  return text;
}

void describe_agreement(std::ostream& out, const std::vector<LayerAgreement>& agreements) {
  const int width =
      widest(agreements, "training forward", [](const auto& a) -> const std::string& { return a.tensor; });
  out << '\n'
      << std::left << std::setw(width) << "training forward" << std::right << std::setw(14) << "codes" << std::setw(12)
      << "differing" << std::setw(10) << "percent" << std::setw(15) << "largest step\n";
  for (const LayerAgreement& a : agreements) {
    const double percent = a.codes == 0 ? 0.0 : 100.0 * static_cast<double>(a.differing) / static_cast<double>(a.codes);
    out << std::left << std::setw(width) << a.tensor << std::right << std::setw(14) << a.codes << std::setw(12)
        << a.differing << std::setw(10) << std::fixed << std::setprecision(4) << percent << std::setw(14)
        << a.largest_step << (a.is_rounding() ? "\n" : "  MORE THAN ROUNDING: what was trained is not what ships\n");
  }
  out << "training computes on float32, whose rounding may put a code a step aside; accuracies are of what ships\n";
}

}  // namespace

std::string CodeDifference::describe() const {
  const std::string place = place_text(shape, element);
  return message("tensor \"", tensor, "\", sample ", sample, place.empty() ? "" : ", ", place, ": ", executor,
                 " gives ", value_text(kind, found), ", the naive executor ", value_text(kind, expected));
}

std::string VerifyReport::describe() const {
  std::ostringstream out;
  out << (passed() ? "verified: " : "FAILED: ") << samples << " samples, " << codes_compared << " codes compared, "
      << differing_codes << " differ\n";
  if (first_difference)
    out << "first difference: " << first_difference->describe() << "\nlikely cause: " << first_difference->cause
        << '\n';
  if (!integer_engine_skipped.empty()) out << "without the integer engine: " << integer_engine_skipped << '\n';
  if (!certificates.empty()) describe_certificates(out, certificates);
  if (!training_forward.empty()) describe_agreement(out, training_forward);
  for (const std::string& layer : float_layers) out << "left in float32, outside the promise: " << layer << '\n';
  return out.str();
}

}  // namespace bitgrad
