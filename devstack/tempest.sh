#!/bin/bash
# Runs Tempest, unmodified, against what stack.sh brought up; ends with 1 if a test failed.
#
#   tempest.sh                       the smoke tests of the Compute API
#   tempest.sh REGEX                 the tests that match
#   tempest.sh --load-list FILE      the tests named in FILE, one a line ("#" begins a comment)

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"
# shellcheck source=lib/image
source "$TOP_DIR/lib/image"
# shellcheck source=lib/tempest
source "$TOP_DIR/lib/tempest"

case ${1:-} in
'') WHAT=(--regex '^tempest\.api\.compute\..*smoke') ;;
--load-list)
    [[ -r ${2:-} ]] || die $LINENO "usage: tempest.sh --load-list FILE (a file that can be read)"
    LIST=$(mktemp)
    trap 'rm -f "$LIST"' EXIT
    sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$2" >"$LIST"
    WHAT=(--load-list "$LIST") ;;
-*) die $LINENO "usage: tempest.sh [REGEX | --load-list FILE]" ;;
*) WHAT=(--regex "$1") ;;
esac

require_root
load_passwords
[[ $(http_code "$NOVA_CELLS_URL/healthcheck") == 200 ]] || die $LINENO \
    "nothing answers at $NOVA_CELLS_URL: run devstack/stack.sh first"
if [[ $(cat "$TEMPEST_VENV/installed" 2>/dev/null) != "$TEMPEST_WANTED" ]]; then
    run_step "installing Tempest from PyPI" "$LOGDIR/pip-tempest.log" \
        "check the network and pip's settings (pip config list), then run this again" install_tempest
fi
run_step "tempest.conf" "$LOGDIR/tempest-config.log" "see which service is not well (devstack/status.sh)" \
    eval 'make_tempest_workspace; configure_tempest'
run_tempest "${WHAT[@]}"
