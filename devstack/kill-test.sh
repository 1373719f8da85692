#!/bin/bash
# kill -9 of a service in the middle of six boots and two deletes; started again by stack.sh, everything must end
# where it was asked to: six servers ACTIVE, two gone, no guest and no directory on a host that has no server, and
# every cell and the API cell of one mind (nova-cells-manage cell verify).
#
#   kill-test.sh [SERVICE...] [SECONDS...]     when to kill, counted from the last request; once for each.  0 by default
#
# What is killed: nova-cells, which is everything, in the profile "embedded"; in "multi" each of these in turn, or those
# that are named: api (one worker of uWSGI), collector, conductor, scheduler (of cell1), compute (of c1-h1).
#
# The long form, a dozen moments:  devstack/kill-test.sh 0 0.2 0.4 0.6 0.8 1 1.3 1.6 2 2.5 3 4

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"
# shellcheck source=lib/multi
source "$TOP_DIR/lib/multi"

BOOTS=${BOOTS:-6}
KILL_PATIENCE=${KILL_PATIENCE:-180}     # seconds until everything must be where it belongs
MOMENTS=() TARGETS=()
for word in "$@"; do
    case $word in
    api | collector | conductor | scheduler | compute)
        [[ $NOVA_CELLS_PROFILE == multi ]] || die $LINENO "$word is a process of the profile multi only"
        TARGETS+=("$word") ;;
    *)
        [[ $word =~ ^[0-9]+(\.[0-9]+)?$ ]] || die $LINENO "usage: kill-test.sh [SERVICE...] [SECONDS...]"
        MOMENTS+=("$word") ;;
    esac
done
(( ${#MOMENTS[@]} )) || MOMENTS=(0)

default_targets() {
    if [[ $NOVA_CELLS_PROFILE != multi ]]; then
        echo nova-cells
        return
    fi
    printf '%s\n' api collector conductor compute
    ! multi_has_scheduler || echo scheduler
}

target_process() { # TARGET -> the name of its record
    case $1 in
    nova-cells) echo nova-cells ;;
    conductor | scheduler) echo "nova-cells-$1-cell1" ;;
    compute) echo nova-cells-compute-c1-h1 ;;
    *) echo "nova-cells-$1" ;;
    esac
}

tenant() { # USER ARGS...
    local user=$1
    shift
    (as_user "$user" "$user"; export GUEST_IMAGE_NAME GUEST_FLAVOR
        "$SERVICE_VENV/bin/python" "$TOP_DIR/lib/kill_test.py" "$@")
}

kill_hard() { # TARGET
    local name pid pids
    name=$(target_process "$1")
    pid=$(recorded_pid "$PID_DIR/$name.pid") || die $LINENO "$name does not run: run devstack/stack.sh first"
    mapfile -t pids < <(session_pids "$pid")
    if [[ $1 == api ]]; then                # one worker; uWSGI's master makes another
        mapfile -t pids < <(printf '%s\n' "${pids[@]}" | grep -vx "$pid" | tail -n 1)
    fi
    kill -KILL "${pids[@]}"
    while start_time "${pids[0]}" >/dev/null; do sleep 0.1; done
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

kill_once() { # TARGET SECONDS
    local begin=${EPOCHREALTIME/./} old new again=(--no-main-job)
    [[ $NOVA_CELLS_PROFILE != multi ]] || again=(multi --no-main-job)
    tenant demo clear kill- "$KILL_PATIENCE" || die $LINENO "the servers of an earlier run cannot be deleted"
    tenant demo boot kill-old 2 >/dev/null
    mapfile -t old < <(tenant demo named kill-old-)
    (( ${#old[@]} == 2 )) || die $LINENO "the first two servers could not be asked for (quota? devstack/status.sh)"
    tenant demo wait "$KILL_PATIENCE" active "${old[@]}" || die $LINENO "see $LOGDIR/nova-cells*.log"
    echo_summary "asking for $BOOTS servers and for the deletion of 2"
    read -r new < <(tenant demo boot kill-new "$BOOTS" "${old[@]}")     # ends with the word, not with the process
    [[ $new == asked ]] || die $LINENO "$BOOTS servers could not be asked for (quota? devstack/status.sh)"
    sleep "$2"
    kill_hard "$1"
    echo_summary "$1 killed with -9 when the hosts had $(on_hosts | grep -c ' guest ') guests"
    "$TOP_DIR/stack.sh" "${again[@]}" >"$LOGDIR/kill-test-stack.log" 2>&1 ||
        die $LINENO "stack.sh failed after the kill: read the end of $LOGDIR/kill-test-stack.log"
    echo_summary "$1 is there again"
    mapfile -t new < <(tenant demo named kill-new-)
    (( ${#new[@]} == BOOTS )) || die $LINENO "of $BOOTS servers that were promised ${#new[@]} are left"
    tenant demo wait "$KILL_PATIENCE" active "${new[@]}" || die $LINENO "see $LOGDIR/nova-cells*.log"
    tenant demo wait "$KILL_PATIENCE" gone "${old[@]}" || die $LINENO "see $LOGDIR/nova-cells*.log"
    echo_summary "  $BOOTS servers are ACTIVE, 2 are gone"
    hosts_are_clean "after the kill"
    cells_are_of_one_mind
    tenant demo delete "${new[@]}"
    tenant demo wait "$KILL_PATIENCE" gone "${new[@]}" || die $LINENO "see $LOGDIR/nova-cells*.log"
    hosts_are_clean "after the end"
    echo_summary "$1 killed after $2 s: everything ended where it should, in $(elapsed "$begin") s"
}

require_root
load_passwords
[[ $(http_code "$NOVA_CELLS_URL/healthcheck") == 200 ]] || die $LINENO \
    "nothing answers at $NOVA_CELLS_URL: run devstack/stack.sh first"
(( ${#TARGETS[@]} )) || mapfile -t TARGETS < <(default_targets)
for target in "${TARGETS[@]}"; do
    for moment in "${MOMENTS[@]}"; do kill_once "$target" "$moment"; done
done
