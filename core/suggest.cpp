#include <bitgrad/core/suggest.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

/// Insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  const auto nearest =
      std::ranges::min_element(candidates, {}, [&](const std::string& c) { return edit_distance(name, c); });
  return nearest == candidates.end() ? std::string() : *nearest;
}

std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> candidates) {
  std::string known;
  for (const std::string& candidate : candidates) known += (known.empty() ? "" : ", ") + candidate;
  const std::string nearest = nearest_name(name, candidates);
  return message("unknown ", what, " \"", name, "\"",
                 nearest.empty() ? "" : " (did you mean \"" + nearest + "\"? known: " + known + ")");
}

}  // namespace bitgrad
