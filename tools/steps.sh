# shellcheck shell=bash
# Run a command as a step: its output goes to a log, the screen shows that it is alive and how long it took.
# Sourced by tests/run.sh and .ci/run, which set LOGS to a folder that exists.

STEP_HEARTBEAT=${STEP_HEARTBEAT:-20}   # seconds between signs of life
STEP_TAIL=${STEP_TAIL:-80}             # lines of the log that are shown when a step fails
STEP_TIMES=()

# step NAME COMMAND [ARGUMENT...]: its exit code is the command's.
step() {
    local name=$1 log began code=0 beat
    shift
    log="$LOGS/${name// /-}.log"
    began=$SECONDS
    echo "== $name"
    _step_beat "$log" "$began" &
    beat=$!
    "$@" >"$log" 2>&1 </dev/null || code=$?
    kill "$beat" 2>/dev/null
    wait "$beat" 2>/dev/null
    STEP_TIMES+=("$(printf '%6d s  %-24s %s' $((SECONDS - began)) "$name" "$(_step_word "$code")")")
    if ((code)); then
        echo "-- the end of $log:"
        tail -n "$STEP_TAIL" "$log" | sed 's/^/   | /'
    fi
    echo "-- $name: $(_step_word "$code") after $((SECONDS - began)) s"
    return "$code"
}

# Print the time of every step so far.
step_times() {
    echo "== time of each step"
    printf '%s\n' "${STEP_TIMES[@]}"
    printf '%6d s  in all\n' "$SECONDS"
}

_step_word() {
    if (($1)); then echo "FAILED (exit $1)"; else echo "done"; fi
}

# No trap in here: a signal that comes while bash reads a command substitution breaks its parser, and a beat that does not
# die is waited for without end.  The sleep outlives it by seconds, so it must hold none of our pipes.
_step_beat() {
    local log=$1 began=$2
    while sleep "$STEP_HEARTBEAT" >/dev/null 2>&1; do
        printf '   %4d s  %s\n' $((SECONDS - began)) "$(tail -n 1 "$log" 2>/dev/null | cut -c 1-110)"
    done
}
