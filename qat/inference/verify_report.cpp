// VerifyReport for people.
#include <bitgrad/qat/inference/verify.hpp>

#include <algorithm>
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
      << std::left << std::setw(width) << "layer" << std::right << std::setw(18) << "worst accumulator"
      << "  int32  float32\n";
  for (const LayerCertificate& c : certificates)
    out << std::left << std::setw(width) << c.layer << std::right << std::setw(18) << c.worst_accumulator
        << (c.int32_safe ? "  safe " : "  UNSAFE") << (c.float32_exact ? "  exact" : "  in blocks") << '\n';
}

void describe_agreement(std::ostream& out, const std::vector<LayerAgreement>& agreements) {
  const int width =
      widest(agreements, "training forward", [](const auto& a) -> const std::string& { return a.tensor; });
  out << '\n'
      << std::left << std::setw(width) << "training forward" << std::right << std::setw(14) << "codes" << std::setw(12)
      << "differing" << std::setw(10) << "percent" << std::setw(14) << "largest step\n";
  for (const LayerAgreement& a : agreements) {
    const double percent = a.codes == 0 ? 0.0 : 100.0 * static_cast<double>(a.differing) / static_cast<double>(a.codes);
    out << std::left << std::setw(width) << a.tensor << std::right << std::setw(14) << a.codes << std::setw(12)
        << a.differing << std::setw(10) << std::fixed << std::setprecision(4) << percent << std::setw(13)
        << a.largest_step << (a.is_rounding() ? "\n" : "  MORE THAN ROUNDING: what was trained is not what ships\n");
  }
}

}  // namespace

std::string VerifyReport::describe() const {
  std::ostringstream out;
  out << (passed() ? "verified: " : "FAILED: ") << samples << " samples, " << codes_compared << " codes compared, "
      << differing_codes << " differ\n";
  if (first_difference)
    out << "first difference: tensor \"" << first_difference->tensor << "\", sample " << first_difference->sample
        << ", element " << first_difference->element << ": " << first_difference->executor << " gives "
        << first_difference->found << ", the naive executor " << first_difference->expected
        << "\nlikely cause: " << first_difference->cause << '\n';
  if (!integer_engine_skipped.empty()) out << "without the integer engine: " << integer_engine_skipped << '\n';
  if (!certificates.empty()) describe_certificates(out, certificates);
  if (!training_forward.empty()) describe_agreement(out, training_forward);
  for (const std::string& layer : float_layers) out << "left in float32, outside the promise: " << layer << '\n';
  return out.str();
}

}  // namespace bitgrad
