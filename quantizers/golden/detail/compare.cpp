#include <bitgrad/quantizers/golden/detail/compare.hpp>

#include <charconv>

namespace bitgrad::golden::detail {
namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

template <class T>
std::string shortest(T value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

void require_same_shape(std::string_view what, const Tensor& got, const Tensor& expected) {
  require(got.shape() == expected.shape(), what, " has shape ", got.shape(), ", expected ", expected.shape());
}

}  // namespace

std::string exact(float value) { return shortest(value); }
std::string exact(double value) { return shortest(value); }

void Runner::run(const std::string& id, const std::function<void()>& check) {
  Outcome outcome{id, Verdict::passed, {}};
  try {
    check();
  } catch (const Difference& difference) {
    outcome.verdict = Verdict::failed;
    outcome.detail = difference.text;
  } catch (const Skip& skip) {
    outcome.verdict = Verdict::skipped;
    outcome.detail = skip.reason;
  } catch (const std::exception& error) {
    outcome.verdict = Verdict::failed;
    outcome.detail = message("exception: ", error.what());
  }
  report_.outcomes.push_back(std::move(outcome));
}

void Runner::compare(std::string_view what, const Tensor& got, const Tensor& expected, const Exceptions& exceptions) {
  require_same_shape(what, got, expected);
  for (Index i = 0; i < got.size(); ++i) {
    const float value = got.data<float>()[i], wanted = expected.data<float>()[i];
    if (same(static_cast<double>(value), static_cast<double>(wanted))) continue;
    const bool excepted = !exceptions.excepted.empty() && exceptions.excepted[static_cast<std::size_t>(i)];
    require(excepted, what, "[", i, "] is ", exact(value), ", expected ", exact(wanted));
    ++report_.skipped_elements[exceptions.reason];
  }
}

void compare_list(std::string_view what, const std::vector<double>& got, const std::vector<double>& expected) {
  require(got.size() == expected.size(), what, " has ", got.size(), " elements, expected ", expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    require(same(got[i], expected[i]), what, "[", i, "] is ", exact(got[i]), ", expected ", exact(expected[i]));
}

void compare_close(std::string_view what, const Tensor& got, const Tensor& expected, double rtol, double atol) {
  require_same_shape(what, got, expected);
  for (Index i = 0; i < got.size(); ++i) {
    const float value = got.data<float>()[i], wanted = expected.data<float>()[i];
    const double far = std::abs(static_cast<double>(value) - static_cast<double>(wanted));
    const double allowed = atol + rtol * std::abs(static_cast<double>(wanted));
    require(far <= allowed || same(static_cast<double>(value), static_cast<double>(wanted)), what, "[", i, "] is ",
            exact(value), ", expected ", exact(wanted), " within ", allowed);
  }
}

std::vector<double> as_floats(std::vector<double> values) {
  for (double& value : values) value = static_cast<double>(static_cast<float>(value));
  return values;
}

bool refuses(const std::function<void()>& attempt) {
  try {
    attempt();
    return false;
  } catch (const ValueError&) {
    return true;
  } catch (const ShapeError&) {
    return true;
  } catch (const StateError&) {
    return true;
  } catch (const std::exception& error) {
    throw Difference{message("expected a refusal, got the exception: ", error.what())};
  }
}

void expect_refusal(const std::function<void()>& construct, const std::string& reason) {
  if (refuses(construct)) throw Skip{reason};
  throw Difference{"not refused: " + reason};
}

}  // namespace bitgrad::golden::detail
