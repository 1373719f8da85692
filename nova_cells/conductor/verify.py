"""The invariants that a child can check of itself (doc/INVARIANTS.rst), as sentences.

May run on a live cell: what is under way is passed over.
"""

import collections.abc

from nova_cells.domain import errands, lifecycle, migration, resources


def findings(store, tx, now: float, settings) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """What is wrong; nothing is good."""
    yield from allocations(store, tx)
    yield from deadlines(store, tx, now, settings)
    yield from capacity(store, tx)
    yield from attached(store, tx, now, settings)
    yield from groups(store, tx)


def allocations(store, tx) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """2. Allocations correspond to servers and moves: each server on a host holds exactly its
    flavor's amounts there; one that moves holds what it had where it comes from and what it will
    have where it goes; and nobody else holds anything."""
    amounts, moves = store.resources.held(tx), store.migrations.open(tx)
    for held in store.servers.many(tx):
        server, found = held.server, amounts.pop(held.uuid, {})
        move = moves.pop(held.uuid, None)
        expected = {}
        if move is not None:
            expected = {(migration.HERE, move.source): resources.amounts(move.old_flavor),
                        (migration.MOVE, move.dest): resources.amounts(move.new_flavor)}
            if server is None or server.host not in move.hosts:
                yield (f"invariant 2: server {held.uuid} moves between {sorted(move.hosts)} and is "
                       f"on neither")
        elif server is not None and server.host:
            expected = {(migration.HERE, server.host): resources.amounts(server.flavor)}
        if found != expected:
            yield (f"invariant 2: server {held.uuid} should hold {_words(expected)}, and holds "
                   f"{_words(found)}")
    for uuid in sorted(amounts.keys() | moves.keys()):
        yield f"invariant 2: {uuid} holds resources or moves and is no server"


def _words(amounts: dict[tuple[str, str], dict[str, int]]) -> str:
    return ", ".join(f"{role} on {host} {used}" for (role, host), used in sorted(
        amounts.items())) or "nothing"


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


def attached(store, tx, now: float, settings) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """4. What records show as attached is what errands say; no errand is without its server, and
    none older than its deadline (6)."""
    known: dict[str, list[errands.Errand]] = {}
    for errand in store.errands.all(tx):
        known.setdefault(errand.server, []).append(errand)
    for held in store.servers.many(tx):
        server, mine = held.server, known.pop(held.uuid, [])
        if server is None or server.deleted:
            left = [one.uuid for one in mine if one.verb != "release"]
            if left:
                yield f"invariant 4: server {held.uuid} is gone and has errands {left}"
            continue
        fields = errands.shown(mine)
        if any(getattr(server, name) != value for name, value in fields.items()):
            yield f"invariant 4: server {held.uuid} does not show what is attached to it"
    for server in sorted(known):
        yield f"invariant 4: errands {[one.uuid for one in known[server]]} of no server {server}"
    for held in store.errands.open(tx):
        verb = errands.VERBS[held.errand.verb]
        limit = verb.limit * settings.limit_factor + 2 * settings.ask_again
        if verb.limit and now - held.began_at > limit:
            yield (f"invariant 6: errand {held.errand.uuid} has been doing {verb.name} for "
                   f"{now - held.began_at:.0f} s")


def groups(store, tx) -> collections.abc.Iterator[str]:  # noqa: ANN001
    """7. Group claims are exactly what membership says: a member claims each host on which it holds
    resources, and nobody else claims any."""
    holders, claims = store.resources.holders(tx), store.groups.members(tx)
    for uuid, request in store.servers.requests(tx):
        expected = holders.get(uuid, set()) if request.group is not None else set()
        where = claims.pop(uuid, set())
        if where != expected:
            yield (f"invariant 7: server {uuid} is a member of its group on {sorted(where)} and "
                   f"holds resources of {sorted(expected)}")
    for uuid in sorted(claims):
        yield f"invariant 7: {uuid} is a member of a group and is no server"
