#include <bitgrad/core/suggest.hpp>

#include <algorithm>
#include <cctype>
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

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  const auto distance = [&](const std::string& candidate) { return edit_distance(lower(name), lower(candidate)); };
  const auto nearest = std::ranges::min_element(candidates, {}, distance);
  const std::size_t most = (name.size() + 2) / 3;
  return nearest == candidates.end() || distance(*nearest) > most ? std::string() : *nearest;
}

std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> candidates) {
  std::string known;
  for (const std::string& candidate : candidates) known += (known.empty() ? "" : ", ") + candidate;
  const std::string nearest = nearest_name(name, candidates);
  const std::string question = nearest.empty() ? "" : "did you mean \"" + nearest + "\"? ";
  return message("unknown ", what, " \"", name, "\"", known.empty() ? "" : " (" + question + "known: " + known + ")");
}

}  // namespace bitgrad
