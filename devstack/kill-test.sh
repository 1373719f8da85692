#!/bin/bash
# kill -9 of nova-cells in the middle of six boots and two deletes; started again by stack.sh, everything must end
# where it was asked to: six servers ACTIVE, two gone, no guest and no directory on a host that has no server, and
# every cell and the API cell of one mind (nova-cells-manage cell verify).
#
#   kill-test.sh [SECONDS...]     when to kill, counted from the last request; once for each.  0 by default
#
# The long form, a dozen moments:  devstack/kill-test.sh 0 0.2 0.4 0.6 0.8 1 1.3 1.6 2 2.5 3 4

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"

BOOTS=${BOOTS:-6}
KILL_PATIENCE=${KILL_PATIENCE:-180}     # seconds until everything must be where it belongs
MOMENTS=("${@:-0}")
for moment in "${MOMENTS[@]}"; do
    [[ $moment =~ ^[0-9]+(\.[0-9]+)?$ ]] || die $LINENO "usage: kill-test.sh [SECONDS...]"
done

tenant() { # USER ARGS...
    local user=$1
    shift
    (as_user "$user" "$user"; export GUEST_IMAGE_NAME GUEST_FLAVOR
        "$SERVICE_VENV/bin/python" "$TOP_DIR/lib/kill_test.py" "$@")
}

kill_hard() {
    local pid
    pid=$(recorded_pid "$PID_DIR/nova-cells.pid") || die $LINENO "nova-cells does not run: run devstack/stack.sh first"
    kill -KILL "$pid"
    while recorded_pid "$PID_DIR/nova-cells.pid" >/dev/null; do sleep 0.1; done
}

# What the hosts have, and what they should have: lines "HOST ID"
on_hosts() {
    local host
    for host in $(host_names); do
        host_virsh "$host" list --all --uuid | grep . | sed "s/^/$host guest /" || true
        find "$(host_instances "$host")" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended \
            -regex '.*/[0-9a-f-]{36}[^/]*' -printf "$host directory %f\n"
    done | sort
}

should_be_on_hosts() {
    tenant admin list | awk '$2 != "-" { print $2, "guest", $1; print $2, "directory", $1 }' | sort
}

hosts_are_clean() { # WHEN
    local until=$(( SECONDS + KILL_PATIENCE )) difference
    until difference=$(diff <(should_be_on_hosts) <(on_hosts)); do
        (( SECONDS < until )) || die $LINENO "$1, $KILL_PATIENCE s later, the hosts do not have what the list says" \
            "(< is missing, > is left over): $(grep '^[<>]' <<<"$difference" | paste -sd';')"
        sleep 1
    done
    echo_summary "  hosts: each server has its guest and its directory, and there is nothing else"
}

cells_are_of_one_mind() {
    local cell told
    for cell in $(cell_names); do
        told=$("$NOVA_CELLS_VENV/bin/nova-cells-manage" --config-file "$NOVA_CELLS_CONF" cell verify "$cell" -f json) ||
            die $LINENO "cell verify $cell: $told"
        "$PYTHON" -c 'import json, sys; sys.exit(bool(json.load(sys.stdin)["findings"]))' <<<"$told" ||
            die $LINENO "cell verify $cell finds something: $told"
        echo_summary "  $cell verified: $(tr -d '\n' <<<"$told")"
    done
}

kill_once() { # SECONDS
    local begin=${EPOCHREALTIME/./} old new
    tenant demo clear kill- "$KILL_PATIENCE" || die $LINENO "the servers of an earlier run cannot be deleted"
    tenant demo boot kill-old 2 >/dev/null
    mapfile -t old < <(tenant demo named kill-old-)
    (( ${#old[@]} == 2 )) || die $LINENO "the first two servers could not be asked for (quota? devstack/status.sh)"
    tenant demo wait "$KILL_PATIENCE" active "${old[@]}" || die $LINENO "see $LOGDIR/nova-cells-app.log"
    echo_summary "asking for $BOOTS servers and for the deletion of 2"
    read -r new < <(tenant demo boot kill-new "$BOOTS" "${old[@]}")     # ends with the word, not with the process
    [[ $new == asked ]] || die $LINENO "$BOOTS servers could not be asked for (quota? devstack/status.sh)"
    sleep "$1"
    kill_hard
    echo_summary "killed with -9 when the hosts had $(on_hosts | grep -c ' guest ') guests"
    "$TOP_DIR/stack.sh" --no-main-job >"$LOGDIR/kill-test-stack.log" 2>&1 ||
        die $LINENO "stack.sh failed after the kill: read the end of $LOGDIR/kill-test-stack.log"
    echo_summary "nova-cells answers again"
    mapfile -t new < <(tenant demo named kill-new-)
    (( ${#new[@]} == BOOTS )) || die $LINENO "of $BOOTS servers that were promised ${#new[@]} are left"
    tenant demo wait "$KILL_PATIENCE" active "${new[@]}" || die $LINENO "see $LOGDIR/nova-cells-app.log"
    tenant demo wait "$KILL_PATIENCE" gone "${old[@]}" || die $LINENO "see $LOGDIR/nova-cells-app.log"
    echo_summary "  $BOOTS servers are ACTIVE, 2 are gone"
    hosts_are_clean "after the kill"
    cells_are_of_one_mind
    tenant demo delete "${new[@]}"
    tenant demo wait "$KILL_PATIENCE" gone "${new[@]}" || die $LINENO "see $LOGDIR/nova-cells-app.log"
    hosts_are_clean "after the end"
    echo_summary "killed after $1 s: everything ended where it should, in $(elapsed "$begin") s"
}

require_root
load_passwords
[[ $(http_code "$NOVA_CELLS_URL/healthcheck") == 200 ]] || die $LINENO \
    "nothing answers at $NOVA_CELLS_URL: run devstack/stack.sh first"
for moment in "${MOMENTS[@]}"; do kill_once "$moment"; done
