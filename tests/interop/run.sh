#!/usr/bin/env bash
# Usage: run.sh RUNTIMES_DIR TEST ARGUMENTS...
# Runs TEST.py or TEST.mjs beside this script with the runtimes that scripts/interop installed in RUNTIMES_DIR; where TEST is
# graphs the arguments are a command that prepares for others. Exit status 77, which ctest shows as skipped, when there are no
# runtimes; 1 when BITGRAD_COMPLETE is set, as scripts/test --complete does.
set -euo pipefail
runtimes="$1" test="$(dirname "${BASH_SOURCE[0]}")/$2"
shift 2

if [ -e "$runtimes/python/installed" ] && [ "${BITGRAD_INTEROP:-python}" = python ]; then
  [ ! -f "$test.py" ] || exec "$runtimes/python/bin/python" "$test.py" "$@"
  [ "${test##*/}" != graphs ] || exec "$@"
elif [ -e "$runtimes/node/installed" ]; then
  [ ! -f "$test.mjs" ] || NODE_PATH="$runtimes/node/node_modules" exec node "$test.mjs" "$@"
  [ "${test##*/}" != graphs ] || exec "$@"
fi
echo "SKIPPED: no runtime for $(basename "$test") in $runtimes; scripts/interop installs one. This proof was not run."
[ -z "${BITGRAD_COMPLETE:-}" ] || exit 1
exit 77
