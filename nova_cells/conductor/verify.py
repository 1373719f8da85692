"""The invariants that a child can check of itself (doc/INVARIANTS.rst), as sentences.

May run on a live cell: what is under way is passed over.
"""

import collections.abc

from nova_cells.domain import lifecycle, resources


def findings(store, tx, now: float, settings) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """What is wrong; nothing is good."""
    yield from allocations(store, tx)
    yield from deadlines(store, tx, now, settings)
    yield from capacity(store, tx)


def allocations(store, tx) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """2. Allocations and servers correspond: each server on a host holds exactly its flavor's
    amounts there, and nobody else holds anything."""
    holders, amounts = store.resources.holders(tx), store.resources.held(tx)
    for held in store.servers.many(tx):
        server = held.server
        where = holders.pop(held.uuid, set())
        expected = {server.host} if server is not None and server.host else set()
        if where != expected:
            yield (f"invariant 2: server {held.uuid} belongs on {sorted(expected)} and holds "
                   f"resources of {sorted(where)}")
        elif expected:
            used = amounts[held.uuid]
            if used != resources.amounts(server.flavor):
                yield f"invariant 2: server {held.uuid} holds {used}"
    for uuid in sorted(holders):
        yield f"invariant 2: {uuid} holds resources and is no server"


def deadlines(store, tx, now: float, settings) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """6. No operation is older than its deadline."""
    for held in store.servers.busy(tx):
        verb = lifecycle.VERBS[held.server.verb]
        limit = verb.limit * settings.limit_factor + 2 * settings.ask_again
        if verb.name != "delete" and now - held.began_at > limit:
            yield (f"invariant 6: server {held.uuid} has been doing {verb.name} for "
                   f"{now - held.began_at:.0f} s")


def capacity(store, tx) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """No provider has given away more than it has."""
    for uuid in store.resources.generations(tx):
        usage = store.resources.usage(tx, uuid)
        for name, left in usage.free().items():
            if left < 0:
                yield f"invariant 2: provider {uuid} is oversold by {-left} {name}"
