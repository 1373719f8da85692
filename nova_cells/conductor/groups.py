# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the policy of a server group means for the choice of a host.

A strict policy narrows the request, and what it says is claimed with the resources; a soft one is a
wish: hosts that keep it best are asked for first, then those that keep it less well.  May be wrong
about who is where by the time something is claimed; the claim decides.
"""

import collections.abc

from nova_cells.domain import groups
from nova_cells.domain import server as model
from nova_cells.scheduler import choose

NOWHERE = frozenset({""})        # no host is called that
STEPS = 4                        # of a soft policy, before it is given up


def wishes(store, tx, server: str, asked: choose.Request) -> list[choose.Request]:  # noqa: ANN001
    """The request as the group would like it best, and after it what would still do."""
    group = asked.group
    if group is None:
        return [asked]
    if group.policy == groups.AFFINITY:
        pinned = store.groups.pinned(tx, group.uuid, server)
        return [asked if pinned is None else _among(asked, {pinned})]
    spread = store.groups.spread(tx, group.uuid, server)
    if group.policy == groups.ANTI_AFFINITY:
        return [_without(asked, spread, group.max_per_host)]
    counts = sorted(set(spread.values()))
    if group.policy == groups.SOFT_AFFINITY:
        return [*(_among(asked, {host for host in spread if spread[host] == count})
                  for count in counts[::-1][:STEPS]), asked]
    return [*(_without(asked, spread, count) for count in counts[:STEPS]), asked]


def _among(asked: choose.Request, hosts: collections.abc.Set[str]) -> choose.Request:
    left = frozenset(hosts) & asked.only if asked.only else frozenset(hosts)
    return model.replace(asked, only=left or NOWHERE)


def _without(asked: choose.Request, spread: dict[str, int], count: int) -> choose.Request:
    """Not where there are this many or more."""
    return model.replace(asked, avoid=asked.avoid | {
        host for host, members in spread.items() if members >= count})
