#include <bitgrad/cli/bench/timing.hpp>

#include <algorithm>

namespace bitgrad::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<double> calls_within(double seconds, const std::function<double()>& f) {
  constexpr std::size_t fewest = 5;
  std::vector<double> results;
  for (const Clock::time_point start = Clock::now();
       results.size() < fewest || milliseconds(Clock::now() - start) < 1000 * seconds;)
    results.push_back(f());
  return results;
}

}  // namespace

std::vector<double> repeat_for(double seconds, const std::function<double()>& f) {
  calls_within(std::min(1.0, seconds / 4), f);
  return calls_within(seconds, f);
}

std::vector<double> time_calls(double seconds, const std::function<void()>& f) {
  return repeat_for(seconds, [&] {
    const Clock::time_point begin = Clock::now();
    f();
    return milliseconds(Clock::now() - begin);
  });
}

}  // namespace bitgrad::cli
