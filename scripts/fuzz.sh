#!/usr/bin/env bash
# Runs every fuzz test of the module, one after the other, for the time given
# (default 10s each). A failing input is kept in the package's testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
count=0
while IFS=: read -r file name; do
  count=$((count + 1))
  echo "fuzz $name in ${file%/*} for $time"
  go test -run '^$' -fuzz "^${name}\$" -fuzztime "$time" "./${file%/*}"
done < <(find . -name '*_test.go' -not -path '*/node_modules/*' -print0 | xargs -0 grep -oHE '^func Fuzz[A-Za-z0-9_]*' | sed -E 's|^\./||; s/func //' | sort)
echo "$count fuzz tests passed"
[ "$count" -gt 0 ]
