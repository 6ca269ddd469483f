// The order in which a sweep starts its runs.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include <bitgrad/cli/sweep_grid.hpp>

namespace bitgrad::cli {

/// Of the runs that share their float training (float_settings()) the first is the leader: the others wait until it is
/// done, and are given its name to take the float model over. Otherwise runs start in the order of the grid.
class SweepSchedule {
 public:
  explicit SweepSchedule(const std::vector<GridPoint>& points);

  struct Next {
    GridPoint point;
    std::optional<GridPoint> leader;  ///< of a run that is none itself
  };
  /// What can start now; nothing while all others wait, and at the end.
  std::optional<Next> next();
  /// Well or not: the others then train for themselves.
  void done(const GridPoint& point);

 private:
  std::deque<Next> waiting_;
  std::vector<GridPoint> done_;
};

}  // namespace bitgrad::cli
