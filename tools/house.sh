#!/bin/bash
# The checks of the house that are not tests: style, sizes, imports, types, security, shell.  Every one of them runs,
# even if one before it failed.  Run inside the environment of the tests (tox -e house does).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0

check() {
    echo "== $*"
    "$@" || {
        echo "-- FAILED: $*"
        failed=1
    }
}

check_shell() {
    local scripts
    mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' '.ci/run' 'devstack/*' |
        xargs -r grep -lE '^#!.*bash|shellcheck shell=' 2>/dev/null)
    if ! command -v shellcheck >/dev/null; then
        echo "shellcheck is not installed (apt-get install shellcheck): only the syntax is checked"
        for script in "${scripts[@]}"; do bash -n "$script" || return 1; done
        return 0
    fi
    shellcheck "${scripts[@]}"
}

check ruff check .
check python -m tests.house.size
check lint-imports --no-cache
check mypy
check bandit -q -r nova_cells -c pyproject.toml
check check_shell
exit "$failed"
