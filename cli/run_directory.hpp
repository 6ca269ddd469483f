// What `bitgrad train` leaves in its output directory.
#pragma once

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// The files of a run.
struct RunDirectory {
  io::Path path;

  io::Path float_checkpoint() const { return path / "float.safetensors"; }
  io::Path quantized_checkpoint() const { return path / "quantized.safetensors"; }
  io::Path graph() const { return path / "graph"; }
  io::Path metrics() const { return path / "metrics.csv"; }
  io::Path report() const { return path / "report.json"; }

  /// Creates the directory where it is missing. IoError with the system's reason.
  void create() const;
  /// Removes what an earlier run left, and no other files; true when there was anything. The float checkpoint stays:
  /// the new run may start from it, and replaces it first of all.
  bool clear() const;
};

}  // namespace bitgrad::cli
