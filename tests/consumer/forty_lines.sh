#!/usr/bin/env bash
# A quantizer is one file of at most 40 lines of code: what is neither blank nor a comment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
status=0
for header in *.hpp; do
  if grep -qE '/\*[^*]*$' "$header"; then
    echo "$header has a comment over several lines, which this does not count" && status=1
  fi
  lines="$(grep -cvE '^[[:space:]]*(//.*)?$' "$header")"
  echo "$header: $lines lines of code"
  if [ "$lines" -gt 40 ]; then
    echo "expected at most 40" && status=1
  fi
done
exit $status
