#!/usr/bin/env bash
# Usage: check.sh SOURCE_DIR CHECK
# Rules about the source tree that no compiler enforces. Prints every violation; the exit status is 1 when there is one.
set -euo pipefail
cd "$1"

# In the order in which they may include each other.
rooms=(core autograd layers quantizers qat cli)
# The only files that may see xtensor or BLAS: their types and macros must not spread.
array_library_files='core/xt\.hpp|core/gemm\.cpp'

violations=0
report() { # RULE LINES
  [ -n "$2" ] || return 0
  violations=1
  printf '%s:\n%s\n' "$1" "$2"
}

sources() { find "$@" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' -o -name '*.inc' \); }
existing_rooms() { for room in "${rooms[@]}"; do [ ! -d "$room" ] || echo "$room"; done; }
includes() { sources "$@" | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' || true; }

include_direction() {
  local allowed="" room
  for room in "${rooms[@]}"; do
    allowed="${allowed:+$allowed|}$room"
    [ -d "$room" ] || continue
    report "$room/ includes a room above it (or the header of all rooms)" \
      "$(includes "$room" | grep 'bitgrad/' | grep -vE "include <bitgrad/($allowed)/" || true)"
    report "bitgrad's headers are included as <bitgrad/room/...>" "$(includes "$room" | grep -E 'include "(\.\.|.*/)' || true)"
  done
}

layers_know_no_quantizers() {
  report 'the word "quant" occurs under layers/' "$({ grep -rniI quant layers; find layers -iname '*quant*'; } 2>/dev/null || true)"
}

dependencies_stay_inside() {
  local in_rooms
  in_rooms="$(includes $(existing_rooms) bitgrad.hpp)"
  report "xtensor or BLAS is included outside of core/xt.hpp and the .cpp files that may" \
    "$(grep -E '[<"](xtensor|xtensor-blas|xtl|xsimd)/|(cblas|f77blas|lapacke?|openblas[a-z_]*|common)\.h[>"]' <<<"$in_rooms" |
      grep -vE "^($array_library_files):" || true)"
  report "a header includes a library that belongs into .cpp files" \
    "$(grep -E '[<"](nlohmann/|CLI/|zlib\.h|png\.h|jpeglib\.h|catch2/)' <<<"$in_rooms" | grep -vE '^[^:]*\.cpp:' || true)"
  report "a .cpp file outside of cli/ includes the command-line library" \
    "$(grep -E '[<"]CLI/' <<<"$in_rooms" | grep -v '^cli/' || true)"
}

no_machine_paths() {
  local places='home|root|Users|work|workspace|mnt|srv'
  report "an absolute path of somebody's machine" \
    "$(find . \( -name .git -o -name 'build*' -type d -o -name runs -o -name include -type l \) -prune -o -type f -print |
      xargs grep -nHIE "(^|[^[:alnum:]_./*])/($places)/[[:alnum:]_.-]" || true)"
  report "the absolute path of this source tree" \
    "$(find . \( -name .git -o -name 'build*' -type d -o -name runs \) -prune -o -type f -print | xargs grep -nHIF "$PWD/" || true)"
}

headers_are_guarded() {
  local header unguarded=""
  for header in $(find $(existing_rooms) bitgrad.hpp -name '*.hpp'); do
    grep -q '^#pragma once$' "$header" || unguarded+="$header"$'\n'
  done
  report "a header without #pragma once" "$unguarded"
}

all_headers_in_bitgrad_hpp() {
  # core/xt.hpp needs xtensor, core/kernels and detail folders are internal, cli is a library of its own.
  local header forgotten=""
  for header in $(find $(existing_rooms) -name '*.hpp' | grep -vE '^core/(xt\.hpp|kernels/)|/detail/|^cli/' | sort); do
    grep -qxF "#include <bitgrad/$header>" bitgrad.hpp || forgotten+="$header"$'\n'
  done
  report "bitgrad.hpp does not include" "$forgotten"
}

test_names_reach_ctest() {
  # CMake splits lists at semicolons and joins them inside of brackets: such a test is lost, or those behind it are.
  report "a test whose name has ; or [ or ], which ctest cannot pass on" \
    "$(sources tests | xargs -r grep -nHE 'TEST_CASE\("[^"]*[][;]' || true)"
}

scripts_answer_help() {
  command -v python3 >/dev/null || { echo "there is no python3" && exit 77; }
  local script program failed=""
  for script in scripts/* $(grep -lF ArgumentParser bench/*.py); do
    [ "$script" != scripts/common.sh ] || continue
    program=bash
    [ "${script%.py}" = "$script" ] || program=python3
    PYTHONDONTWRITEBYTECODE=1 "$program" "$script" --help 2>&1 | grep -qi '^usage: ' || failed+="$script"$'\n'
  done
  report "--help prints no usage" "$failed"
}

sources_are_formatted() {
  # Other versions format differently. 77 tells ctest that nothing was checked.
  local formatter
  formatter="$(command -v clang-format-14)" || { echo "there is no clang-format-14" && exit 77; }
  report "not as $(basename "$formatter") -i leaves it" \
    "$(find $(existing_rooms) bitgrad.hpp tests examples bench -name build -prune -o \( -name '*.hpp' -o -name '*.cpp' -o -name '*.inc' \) -print |
      xargs "$formatter" --dry-run 2>&1 | grep -oE '^[^ ]+:[0-9]+:[0-9]+: warning' || true)"
}

"$2"
exit $violations
