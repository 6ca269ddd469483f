#include <bitgrad/cli/sweep_schedule.hpp>

#include <algorithm>

namespace bitgrad::cli {

SweepSchedule::SweepSchedule(const std::vector<GridPoint>& points) {
  std::vector<std::pair<GridPoint, GridPoint>> leaders;  // by float settings
  for (const GridPoint& point : points) {
    const GridPoint settings = float_settings(point);
    const auto found = std::ranges::find(leaders, settings, &std::pair<GridPoint, GridPoint>::first);
    if (found == leaders.end()) {
      leaders.emplace_back(settings, point);
      waiting_.push_back({point, std::nullopt});
    } else {
      waiting_.push_back({point, found->second});
    }
  }
}

std::optional<SweepSchedule::Next> SweepSchedule::next() {
  const auto ready = [this](const Next& entry) {
    return !entry.leader || std::ranges::find(done_, *entry.leader) != done_.end();
  };
  const auto found = std::ranges::find_if(waiting_, ready);
  if (found == waiting_.end()) return std::nullopt;
  Next next = std::move(*found);
  waiting_.erase(found);
  return next;
}

void SweepSchedule::done(const GridPoint& point) { done_.push_back(point); }

}  // namespace bitgrad::cli
