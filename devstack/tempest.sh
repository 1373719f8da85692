#!/bin/bash
# Runs Tempest, unmodified, against what stack.sh brought up; ends with 1 if a test failed.
#
#   tempest.sh                       the tests that must pass in this release (tempest-smoke.txt)
#   tempest.sh REGEX                 the tests that match
#   tempest.sh --load-list FILE      the tests named in FILE, one a line ("#" begins a comment)
#   tempest.sh --pretend-network ... the same with Neutron announced though there is none: Tempest leaves out whole
#                                    classes for want of it whose tests never touch a network (tempest-network.txt)

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"
# shellcheck source=lib/image
source "$TOP_DIR/lib/image"
# shellcheck source=lib/tempest
source "$TOP_DIR/lib/tempest"

LIST='' MUST_PASS=''
leave() {
    [[ -z $LIST ]] || rm -f "$LIST"
    [[ $TEMPEST_PRETEND_NETWORK == no ]] || forget_network
}
trap leave EXIT

if [[ ${1:-} == --pretend-network ]]; then
    TEMPEST_PRETEND_NETWORK=yes
    shift
    [[ -n ${1:-} ]] || set -- --load-list "$TOP_DIR/tempest-network.txt"
fi
[[ -n ${1:-} ]] || set -- --load-list "$TOP_DIR/tempest-smoke.txt"
# Our own lists name what must pass: there a test that is skipped, or that is no more, is a failure.
[[ $(realpath -q -- "${2:-}") != "$TOP_DIR"/tempest-*.txt ]] || MUST_PASS=yes
case $1 in
--load-list)
    [[ -r ${2:-} ]] || die $LINENO "usage: tempest.sh --load-list FILE (a file that can be read)"
    LIST=$(mktemp)
    sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$2" >"$LIST"
    MUST_PASS=${MUST_PASS:+$LIST}
    WHAT=(--load-list "$LIST") ;;
-*) die $LINENO "usage: tempest.sh [--pretend-network] [REGEX | --load-list FILE]" ;;
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
