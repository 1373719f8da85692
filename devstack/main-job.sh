#!/bin/bash
# Runs the main job on what stack.sh brought up: real guests in every cell, by the openstack client.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"
# shellcheck source=lib/hosts
source "$TOP_DIR/lib/hosts"
# shellcheck source=lib/mainjob
source "$TOP_DIR/lib/mainjob"

require_root
load_passwords
[[ $(http_code "$NOVA_CELLS_URL/healthcheck") == 200 ]] || die $LINENO \
    "nothing answers at $NOVA_CELLS_URL: run devstack/stack.sh first"
main_job
