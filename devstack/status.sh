#!/bin/bash
# What is up, where, and what is wrong.  status.sh [-f table|json]; ends with 1 if something is wrong.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"

case ${1:-} in
'') FORMAT=table ;;
-f) FORMAT=${2:-} ;;
-f*) FORMAT=${1#-f} ;;
*) FORMAT= ;;
esac
[[ $FORMAT == table || $FORMAT == json ]] || die $LINENO "usage: status.sh [-f table|json]"

service_line() { # NAME URL
    printf 'service\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(recorded_pid "$PID_DIR/$1.pid" || true)" "$(http_code "$2")" "$2" \
        "$LOGDIR/$1.log"
}

host_line() { # NAME
    local answers=no guests=''
    host_answers "$1" && { answers=yes; guests=$(running_guests "$1"); }
    printf 'host\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(host_pid "$1" libvirtd || true)" "$answers" "$(host_uri "$1")" \
        "$(host_dir "$1")/log/libvirtd.log" "$(cell_of_host "$1")" "$guests"
}

{
    service_line keystone "$KEYSTONE_AUTH_URI"
    service_line glance "$GLANCE_URL/"
    service_line nova-cells "$NOVA_CELLS_URL/healthcheck"
    for host in $(host_names); do host_line "$host"; done
} | "$PYTHON" "$TOP_DIR/lib/status.py" "$FORMAT"
