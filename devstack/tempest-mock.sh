#!/bin/bash
# Tempest, unmodified, against the embedded profile on the mock hypervisor: real Keystone and Glance, nova_cells in one
# process, no libvirt.  Brings it up in a directory of its own, runs the tests, checks the invariants of each cell, and takes
# it down.  As root (it installs Debian packages):
#
#   tempest-mock.sh                        the tests that must pass here (tempest-mock.txt), on two cells, with a network
#                                          service in the catalogue that answers 404 (tempest.sh tells why)
#   tempest-mock.sh --cells 1 REGEX        the tests that match, on one cell
#   tempest-mock.sh --load-list FILE       the tests named in FILE
#   tempest-mock.sh --keep ...             leave it running; "tempest-mock.sh --down" ends it
#
# What is left to look at: $NOVA_CELLS_MOCK/logs (default .tempest/logs), among it tempest-run.log, tempest-failed.txt and
# verify-*.json.  Ports: NOVA_CELLS_MOCK_PORTS, the first of three (default 18774: API, Keystone, Glance).

set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEST=${NOVA_CELLS_MOCK:-$HERE/../.tempest}
mkdir -p "$DEST"
DEST=$(cd "$DEST" && pwd)
PORT=${NOVA_CELLS_MOCK_PORTS:-18774}
cells=2 keep='' down=''
while (($#)); do
    case $1 in
    --cells) cells=${2:?a number}; shift 2 ;;
    --keep) keep=yes; shift ;;
    --down) down=yes; shift ;;
    *) break ;;
    esac
done
(($#)) || set -- --pretend-network --load-list "$HERE/tempest-mock.txt"

export LOCAL_CONF=$DEST/local.conf
cat >"$LOCAL_CONF" <<C
[[local|localrc]]
DEST=$DEST
NOVA_CELLS_CONF_DIR=$DEST/etc
NOVA_CELLS_VIRT_DRIVER=fake
NOVA_CELLS_PORT=$PORT
KEYSTONE_PORT=$((PORT + 1))
GLANCE_PORT=$((PORT + 2))
CELLS=$cells
HOSTS_PER_CELL=2
C
# Other commands of this directory may have said otherwise in the environment
unset CELLS HOSTS_PER_CELL NOVA_CELLS_PROFILE

if [[ -n $down ]]; then exec "$HERE/clean.sh" --keep-packages; fi

take_down() {
    [[ -n $keep ]] && return
    "$HERE/unstack.sh" >/dev/null 2>&1
}

# Each cell checks itself, as an operator would ask it to.
verify() {
    local number bad=0
    for ((number = 1; number <= cells; number++)); do
        "$DEST/nova-cells-venv/bin/nova-cells-manage" --config-file "$DEST/etc/nova-cells.conf" cell verify -f json \
            "cell$number" >"$DEST/logs/verify-cell$number.json" || bad=1
        cat "$DEST/logs/verify-cell$number.json"
    done
    return $bad
}

"$HERE/clean.sh" --keep-packages >/dev/null 2>&1
trap take_down EXIT
trap 'exit 130' INT TERM
"$HERE/stack.sh" --no-main-job || exit 1
failed=0
"$HERE/tempest.sh" "$@" || failed=1
verify || { echo "an invariant does not hold: see $DEST/logs/verify-*.json" >&2; failed=1; }
echo "artefacts: $DEST/logs"
exit $failed
