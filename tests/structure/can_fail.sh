#!/usr/bin/env bash
# Usage: can_fail.sh SOURCE_DIR SCRATCH_DIR
# Seeds one violation after the other in a copy of the source tree: check.sh has to see each of them, and nothing without.
set -euo pipefail
source_dir="$1" scratch="$2"
check="$source_dir/tests/structure/check.sh"

rm -rf "$scratch"
mkdir -p "$scratch"
tar -C "$source_dir" --exclude=./build* --exclude=./.git --exclude=./runs -cf - . | tar -C "$scratch" -xf -
mkdir -p "$scratch"/{core,autograd,layers,quantizers,qat,cli}

failures=0
# seeded CHECK FILE LINE: with LINE appended to FILE, CHECK has to fail and to name FILE; without, to pass.
seeded() {
  local name="$1" file="$scratch/$2" line="$3" had_file=no output
  if ! output="$(bash "$check" "$scratch" "$name")"; then
    printf '%s fails without a violation:\n%s\n' "$name" "$output"
    failures=1
    return
  fi
  [ ! -e "$file" ] || { had_file=yes && cp "$file" "$file.saved"; }
  printf '%s\n' "$line" >>"$file"
  if output="$(bash "$check" "$scratch" "$name")"; then
    printf '%s does not see this in %s:\n%s\n' "$name" "$2" "$line"
    failures=1
  elif ! grep -qF "$2" <<<"$output"; then
    printf '%s does not name %s:\n%s\n' "$name" "$2" "$output"
    failures=1
  fi
  rm "$file"
  [ $had_file = no ] || mv "$file.saved" "$file"
}

seeded include_direction core/seeded.hpp '#include <bitgrad/autograd/tape.hpp>'
seeded include_direction autograd/seeded.cpp '  #  include "bitgrad/layers/layer.hpp"'
seeded include_direction layers/seeded.hpp '#include <bitgrad/qat/trainer.hpp>'
seeded include_direction quantizers/seeded.cpp '#include <bitgrad/qat/trainer.hpp>'
seeded include_direction qat/seeded.hpp '#include <bitgrad/cli/cli.hpp>'
seeded include_direction core/seeded.cpp '#include <bitgrad/bitgrad.hpp>'
seeded include_direction core/seeded.cpp '#include "../autograd/tape.hpp"'
seeded layers_know_no_quantizers layers/seeded.hpp '// Quantizers are none of our business.'
seeded layers_know_no_quantizers layers/seeded_quant.hpp ''
seeded dependencies_stay_inside core/tensor.hpp '#include <xtensor/xarray.hpp>'
seeded dependencies_stay_inside layers/seeded.cpp '#include <cblas.h>'
seeded dependencies_stay_inside core/seeded.hpp '#include <nlohmann/json.hpp>'
seeded dependencies_stay_inside bitgrad.hpp '#include <zlib.h>'
seeded dependencies_stay_inside qat/seeded.cpp '#include <CLI/CLI.hpp>'
seeded no_machine_paths examples/seeded.cpp "std::string data = \"/ho""me/somebody/data\";"
seeded no_machine_paths docs/seeded.md "see $scratch/README.md"
seeded headers_are_guarded core/seeded.hpp '#include <vector>'
seeded all_headers_in_bitgrad_hpp core/seeded.hpp '#pragma once'
seeded test_names_reach_ctest tests/core/seeded.cpp 'TEST_CASE("one; two") {}'
seeded test_names_reach_ctest tests/core/seeded.cpp 'TEST_CASE("from 0 to [1, 2)") {}'
if command -v python3 >/dev/null; then
  seeded scripts_answer_help bench/seeded.py 'from nowhere import ArgumentParser'
  seeded scripts_answer_help scripts/seeded 'exit 0'
fi
! command -v clang-format-14 >/dev/null || seeded sources_are_formatted core/seeded.cpp 'int  two_blanks;'
exit $failures
