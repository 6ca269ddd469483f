// Work beside the thread pool.
#pragma once

namespace bitgrad {

/// For one scope, parallel regions of this thread run serially in it: for threads of one's own, which would otherwise
/// take the pool from the thread that computes.
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
};

/// True where parallel regions of this thread run serially: with one thread, in such a scope, in a region.
bool runs_serially();

}  // namespace bitgrad
