#!/bin/bash
# Stops everything and removes data, configuration, logs and environments, of both profiles.
# clean.sh [--keep-packages]   keeps the virtual environments and the guest image

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"

case ${1:-} in
'') ;;
--keep-packages) KEEP_PACKAGES=yes ;;
*) die $LINENO "usage: clean.sh [--keep-packages]" ;;
esac

require_root
"$TOP_DIR/unstack.sh"
take_lock
run_plugin clean
rm -rf "${DATA_DIR:?}"/{keystone,glance,passwords,passwords.lock,profile,pid,tempest,demo-key,demo-key.pub,main-job-kept} "${LOGDIR:?}"
if [[ -z ${KEEP_PACKAGES:-} ]]; then
    rm -rf "${SERVICE_VENV:?}" "${TEMPEST_VENV:?}" "${DEST:?}/bin" "$DATA_DIR/lock"
    rmdir "$DATA_DIR" "$DEST" 2>/dev/null || true
fi
echo_summary "removed; Debian packages stay installed"
