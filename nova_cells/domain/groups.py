# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Server groups as they travel: what a cell must know of the group of a server that it boots.

The policy goes with the boot request, so that a cell looks nothing up and keeps it even if the
group itself is deleted (law T7).
"""

from nova_cells.domain import server as model

AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"
SOFT_AFFINITY, SOFT_ANTI_AFFINITY = "soft-affinity", "soft-anti-affinity"
STRICT = (ANTI_AFFINITY, AFFINITY)
POLICIES = (*STRICT, SOFT_ANTI_AFFINITY, SOFT_AFFINITY)


class Group(model.Value, kw_only=True):
    """A group, with the policy that its members keep."""

    uuid: str
    policy: str
    max_per_host: int = 1                # of anti-affinity: members that one host may have
