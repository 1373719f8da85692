#!/bin/bash
# Every subcommand of the ordinary openstack client that speaks to the Compute API, against the stack that runs, at the
# client's default microversion and at the newest.  Says what each step asks and whether the answer is right; ends with a
# table (passed, refused as it must be, failed) and with 1 if a step failed or a subcommand of the client was not used.
#
#   client-tour.sh                     both microversions
#   client-tour.sh --at 2.60           this one, or "default" (may be given several times)
#
# It makes a project, flavors, servers and what else it needs under names of its own, and deletes them at the end.
# LOCAL_CONF names the local.conf of another stack, as that of tempest-mock.sh --keep.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/env
source "$(dirname "${BASH_SOURCE[0]}")/lib/env"

load_passwords
[[ $(http_code "$NOVA_CELLS_URL/healthcheck") == 200 ]] || die $LINENO \
    "nothing answers at $NOVA_CELLS_URL: run devstack/stack.sh first"
as_user admin admin
export GUEST_IMAGE_NAME GUEST_FLAVOR
# The client's default is wanted, not ours.  And if Tempest runs here too, it may have announced a network service that does
# not exist (tempest.sh --pretend-network); only its public endpoint, so the others are asked for.
unset OS_COMPUTE_API_VERSION
export OS_INTERFACE=internal
exec "$SERVICE_VENV/bin/python" "$TOP_DIR/lib/client_tour.py" "$@"
