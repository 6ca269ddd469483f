#!/usr/bin/env bash
# Usage: run.sh RUNTIMES_DIR TEST ARGUMENTS...
# Runs TEST.py or TEST.mjs beside this script with the runtimes that scripts/interop installed in RUNTIMES_DIR. Exit status 77,
# which ctest shows as skipped, when there are none.
set -euo pipefail
runtimes="$1" test="$(dirname "${BASH_SOURCE[0]}")/$2"
shift 2

if [ -e "$runtimes/python/installed" ] && [ -f "$test.py" ] && [ "${BITGRAD_INTEROP:-python}" = python ]; then
  exec "$runtimes/python/bin/python" "$test.py" "$@"
fi
if [ -e "$runtimes/node/installed" ] && [ -f "$test.mjs" ]; then
  NODE_PATH="$runtimes/node/node_modules" exec node "$test.mjs" "$@"
fi
echo "SKIPPED: no runtime for $(basename "$test") in $runtimes; scripts/interop installs one. This proof was not run."
exit 77
