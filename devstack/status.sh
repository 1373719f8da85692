#!/bin/bash
# What is up, where, and what is wrong.  status.sh [-f table|json]; ends with 1 if something is wrong.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"
# shellcheck source=lib/multi
source "$TOP_DIR/lib/multi"

case ${1:-} in
'') FORMAT=table ;;
-f) FORMAT=${2:-} ;;
-f*) FORMAT=${1#-f} ;;
*) FORMAT= ;;
esac
[[ $FORMAT == table || $FORMAT == json ]] || die $LINENO "usage: status.sh [-f table|json]"

# ---- findings: lines of words between tabs, which lib/status.py explains ------------------------
service_line() { # NAME URL
    printf 'service\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(recorded_pid "$PID_DIR/$1.pid" || true)" "$(http_code "$2")" "$2" \
        "$LOGDIR/$1.log"
}

server_line() { # NAME PORT: one that does not speak HTTP
    local answers=no
    ! port_taken "$2" || answers=yes
    printf 'server\t%s\t%s\t%s\t127.0.0.1:%s\t%s\n' "$1" "$(recorded_pid "$PID_DIR/$1.pid" || true)" "$answers" "$2" \
        "$LOGDIR/$1.log"
}

# Ready is what /readyz says, or, without a port for it, what its log said since its start.
daemon_line() { # NAME
    local port ready=no where=-
    port=$(multi_metrics_port "$1")
    if (( port )) && port_taken "$port"; then
        where=http://127.0.0.1:$port/readyz
        [[ $(http_code "$where") != 200 ]] || ready=yes
    elif multi_is_ready "$1"; then
        ready=yes
    fi
    printf 'daemon\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(recorded_pid "$PID_DIR/$1.pid" || true)" "$ready" "$where" \
        "$LOGDIR/$1.log"
}

host_line() { # NAME
    local answers=no guests=''
    host_answers "$1" && { answers=yes; guests=$(running_guests "$1"); }
    printf 'host\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(host_pid "$1" libvirtd || true)" "$answers" "$(host_uri "$1")" \
        "$(host_dir "$1")/log/libvirtd.log" "$(cell_of_host "$1")" "$guests"
}

cell_lines() { # what the API cell knows of each cell
    [[ -r $NOVA_CELLS_CONF && -x $NOVA_CELLS_VENV/bin/nova-cells-manage ]] || return 0
    timeout 60 "$NOVA_CELLS_VENV/bin/nova-cells-manage" --config-file "$NOVA_CELLS_CONF" cell list -f csv \
        --quote none -c name -c enabled -c up -c servers -c heard -c sync 2>"$LOGDIR/status.log" |
        sed 1d | tr , '\t' | sed 's/^/cell\t/'
}

heard_lines() { # what the API says of each host's agent
    [[ -r $PASSWORD_FILE && $(http_code "$KEYSTONE_AUTH_URI") == [23]* ]] || return 0
    load_passwords
    (as_user admin admin; timeout 30 "$PYTHON" "$TOP_DIR/lib/heard.py" list 2>/dev/null) |
        awk -v OFS='\t' '$1 == "nova-compute" { print "heard", $2, $3, $4 }'
}

# Every queue that holds something, by one question to the broker: VHOST, name, messages, consumers
queue_lines() {
    [[ $NOVA_CELLS_PROFILE == multi ]] && is_running rabbitmq || return 0
    # shellcheck disable=SC2016
    timeout 60 "$BASH" -c 'source "$1/lib/env"; rabbitctl eval "$2"' - "$TOP_DIR" '
        F = fun(Q) ->
            {resource, V, queue, N} = amqqueue:get_name(Q),
            I = try rabbit_amqqueue:info(Q, [messages, consumers]) catch _:_ -> [] end,
            io_lib:format("queue|~s|~s|~p|~p~n", [V, N, proplists:get_value(messages, I, 0),
                                                  proplists:get_value(consumers, I, 0)])
        end,
        io:put_chars([F(Q) || Q <- rabbit_amqqueue:list()]).' 2>>"$LOGDIR/status.log" |
        grep '^queue|' | tr '|' '\t'
}

# What the queues held when somebody looked last, so that growth is seen
queues_before() { sed 's/^queue/before/' "$NOVA_CELLS_PROFILE_DIR/queues-seen" 2>/dev/null || true; }

services() {
    local name
    service_line keystone "$KEYSTONE_AUTH_URI"
    service_line glance "$GLANCE_URL/"
    if [[ $NOVA_CELLS_PROFILE != multi ]]; then
        service_line nova-cells "$NOVA_CELLS_URL/healthcheck"
        return
    fi
    server_line mariadb "$MARIADB_PORT"
    server_line epmd "$EPMD_PORT"
    server_line rabbitmq "$RABBIT_PORT"
    server_line memcached "$MEMCACHED_PORT"
    service_line nova-cells-api "$NOVA_CELLS_URL/healthcheck"
    for name in $(multi_daemons); do daemon_line "$name"; done
}

hosts() { local host; for host in $(host_names); do host_line "$host"; done; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$LOGDIR"
for part in services hosts cell_lines heard_lines queue_lines queues_before; do
    "$part" >"$work/$part" &
done
wait
if [[ -s $work/queue_lines && -w $NOVA_CELLS_PROFILE_DIR ]]; then
    cp "$work/queue_lines" "$NOVA_CELLS_PROFILE_DIR/queues-seen"
fi
cat "$work"/* | "$PYTHON" "$TOP_DIR/lib/status.py" "$FORMAT" "$NOVA_CELLS_PROFILE"
