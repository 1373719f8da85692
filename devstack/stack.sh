#!/bin/bash
# Brings up Keystone, Glance, isolated compute hosts and nova_cells on this machine, and boots a real
# guest in each cell.  As root:  devstack/stack.sh [multi] [--no-main-job]
#
#   stack.sh          nova_cells in one process, on SQLite
#   stack.sh multi    each service a process of its own, on MariaDB, RabbitMQ and memcached
#
# The second run is safe and quick.  unstack.sh stops everything, clean.sh removes it, status.sh looks.

NOVA_CELLS_PROFILE=embedded
if [[ ${1:-} == multi ]]; then
    NOVA_CELLS_PROFILE=multi
    shift
fi

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/mainjob
source "$TOP_DIR/lib/mainjob"

MAIN_JOB=yes
case ${1:-} in
'') ;;
--no-main-job) MAIN_JOB=no ;;
*) die $LINENO "usage: stack.sh [multi] [--no-main-job]" ;;
esac

# What builds wheels and environments, where the machine's Python does not bring it already
python_packages() {
    command -v "$PYTHON" >/dev/null || { echo "python3 python3-venv python3-dev"; return; }
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$PYTHON" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' \
        2>/dev/null || echo python3-dev
}

check_python() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die $LINENO \
        "$PYTHON is older than 3.11: set PYTHON in local.conf to a newer one"
}

install_services() {
    local wanted='keystone==30.* glance==33.* uwsgi python-openstackclient'
    [[ $(cat "$SERVICE_VENV/installed" 2>/dev/null) != "$wanted" ]] || return 0
    make_venv "$SERVICE_VENV"
    # shellcheck disable=SC2086
    PIP_VIRTUAL_ENV=$SERVICE_VENV pip_install 'setuptools<81' wheel $wanted
    echo "$wanted" >"$SERVICE_VENV/installed"
}

prepare_services() {
    if [[ ! -e $SERVICE_VENV/installed ]]; then
        run_step "installing Keystone, Glance and the client from PyPI" "$LOGDIR/pip-services.log" \
            "check the network and pip's settings (pip config list), then run this again" install_services
    fi
    configure_keystone
    configure_glance
    merge_config_group "$LOCAL_CONF" post-config
    run_step "databases of Keystone and Glance" "$LOGDIR/init.log" \
        "read there what the database refused, then run this again (clean.sh first, if it is spoilt)" init_services
}

# Users and vhosts first: the broker reads them when it starts.
prepare_backends() {
    # shellcheck disable=SC2046
    define_rabbit $(multi_bus_users)
    start_backends
}

init_services() {
    local keystone glance
    ( set -e; init_keystone ) & keystone=$!
    ( set -e; init_glance ) & glance=$!
    wait "$keystone"
    wait "$glance"
}

link_commands() {
    mkdir -p "$DEST/bin"
    ln -sfn "$SERVICE_VENV/bin/openstack" "$DEST/bin/openstack"
    ln -sfn "$NOVA_CELLS_VENV/bin/nova-cells-manage" "$DEST/bin/nova-cells-manage"
}

wait_for() { # PID: a part that ran beside; it has said itself what is wrong
    wait "$1" || exit 1
}

require_root
require_loopback
take_lock
must_be_this_profile
write_profile
load_passwords
echo_summary "nova_cells, $NOVA_CELLS_PROFILE: $CELLS cells of $HOSTS_PER_CELL hosts in $DEST, logs in $LOGDIR"

# shellcheck disable=SC2046
install_package $(python_packages) cpio
run_plugin stack pre-install
check_python

prepare_services & services=$!
trap 'kill "$services" 2>/dev/null; exit 130' INT TERM
if [[ $NOVA_CELLS_PROFILE == multi ]]; then
    install_backends
    prepare_backends
fi
run_plugin stack install
wait_for "$services"
trap - INT TERM
link_commands
PATH=$PATH:$SERVICE_VENV/bin

start_keystone & keystone=$!
start_glance & glance=$!
wait_for "$keystone"
create_thin_accounts
run_plugin stack post-config
merge_config_group "$LOCAL_CONF" post-config
flush_identity
wait_for "$glance"

run_plugin stack extra
if [[ $MAIN_JOB == yes ]]; then
    main_job_or_check
fi
print_summary
