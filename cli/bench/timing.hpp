// Calling something again and again.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace bitgrad::cli {

inline double milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Calls `f` until `seconds` have passed, at least five times; returns what the calls returned, in order. A warm-up of
/// a quarter of that, one second at most, comes first and is thrown away.
std::vector<double> repeat_for(double seconds, const std::function<double()>& f);

/// Milliseconds of each call of `f`, repeated likewise.
std::vector<double> time_calls(double seconds, const std::function<void()>& f);

}  // namespace bitgrad::cli
