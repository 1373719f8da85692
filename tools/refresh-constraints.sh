#!/bin/bash
# Write constraints.txt anew: the newest releases that the ranges allow, resolved together, each pinned.
#
# What is pinned: requirements.txt, every extra of setup.cfg, test-requirements.txt, and tox itself.  Nothing is
# installed or built; it takes a minute or two.  Run it with the oldest Python that is supported (3.11).
#
# Usage: tools/refresh-constraints.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "making an empty environment with $("$python" --version)"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade pip

"$work/venv/bin/python" - setup.cfg >"$work/extras.txt" <<'PYTHON'
import configparser
import sys

setup = configparser.ConfigParser()
setup.read(sys.argv[1])
for needs in setup["extras"].values():
    print(needs.strip())
PYTHON

echo "resolving"
"$work/venv/bin/python" -m pip install --quiet --dry-run --ignore-installed --report "$work/report.json" \
    -r requirements.txt -r test-requirements.txt -r "$work/extras.txt" 'tox>=4.18' 'pbr>=6.0.0' 'setuptools>=70'

"$work/venv/bin/python" - "$work/report.json" >"$work/constraints.txt" <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as report:
    found = json.load(report)["install"]
print("# Every package that nova_cells, its tests and its documentation were tested with.")
print("# Written by tools/refresh-constraints.sh; do not edit.")
pins = {item["metadata"]["name"]: item["metadata"]["version"] for item in found}
for name in sorted(pins, key=str.lower):
    print(f"{name}=={pins[name].partition('+')[0]}")
PYTHON
mv "$work/constraints.txt" constraints.txt
chmod 0644 constraints.txt
echo "$(grep -c == constraints.txt) packages pinned"
