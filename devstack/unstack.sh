#!/bin/bash
# Stops everything that stack.sh started, whatever the profile, guests included.  Data stays: stack.sh goes on where it was.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"

require_root
take_lock
# nova_cells first, so that it does not take the end of the guests for their owners' wish
run_plugin unstack
for stop in 'stop_process glance' 'stop_process keystone' stop_backends; do
    $stop &
done
wait
echo_summary "everything is stopped; data is kept in $DATA_DIR"
