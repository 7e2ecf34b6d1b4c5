#!/usr/bin/env bash
# The demonstration behind `make demo`: run.sh PROGTC_RUN. Ends with status 1 when something went otherwise than said.
set -uo pipefail

progtc_run=$(realpath -- "${1:?usage: run.sh PROGTC_RUN}") || exit 1
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
surprises=0

caption() { printf '\n== %s\n' "$*"; }

surprise() {
  echo "demo: $*" >&2
  surprises=$((surprises + 1))
}

# show EXPECTED_STATUS ARGUMENT…: prints the command as one would type it, runs it, tells how it ended.
show() {
  local expected=$1 status
  shift
  printf '$ progtc-run'
  printf ' %s' "$@"
  printf '\n'
  "$progtc_run" "$@"
  status=$?
  echo "(exit status $status)"
  [ "$status" -eq "$expected" ] || surprise "exit status $expected was promised"
}

caption "1. A script nobody has read awaits two tools at once. The tools run out here, the script in the sandbox."
show 0 --policy strict --tools tools visitor.py

caption "2. The same script tries the network: it is stopped, and the rule that stopped it is named."
show 1 --policy strict --tools tools visitor.py --phone-home

caption "3. A script takes memory until the kernel stops it. Output, cause and usage are kept."
show 137 --policy strict --memory 64M --report "$scratch/report.json" memory_bomb.py

caption "4. The report of that run, for programs to read."
if /usr/bin/python3 -m json.tool "$scratch/report.json"; then
  grep -q '"memory_limit"' "$scratch/report.json" || surprise "the report does not say memory_limit"
else
  surprise "the report is not JSON"
fi

if [ "$surprises" -gt 0 ]; then
  printf '\ndemo: %s of the steps went otherwise than said; see progtc doctor\n' "$surprises" >&2
  exit 1
fi
