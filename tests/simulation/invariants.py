# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The invariants of doc/INVARIANTS.rst, checked on a cluster at rest."""

import collections
import collections.abc

from nova_cells.conductor import verify
from nova_cells.db.cell import servers as cell_servers
from nova_cells.db.view import servers as view_servers
from nova_cells.db.view import tables
from nova_cells.domain import groups, lifecycle, records
from tests.simulation import cluster as clusters


def check(cluster, reset: collections.abc.Set[str] = frozenset()) -> None:  # noqa: ANN001
    """Every invariant at rest.  One assertion with everything that is wrong.

    ``reset``: servers about whose rest an operator had a word, which may have been a wrong one.
    """
    wrong = list(_findings(cluster, reset))
    assert not wrong, f"seed {cluster.seed}: " + "; ".join(wrong)


def _findings(cluster, reset):  # noqa: ANN001, ANN202
    with cluster.view.read() as tx:
        rows = tx.execute(tables.servers.select()).all()
        reservations = tx.execute(tables.reservations.select()).all()
    owned: dict[str, list] = collections.defaultdict(list)
    for cell, store in cluster.stores.items():
        with store.read() as tx:
            for held in store.servers.many(tx, cell_servers.t.c.rest != "deleted"):
                owned[held.uuid].append((cell, held))
            yield from verify.findings(store, tx, cluster.now, clusters.CONDUCTOR)
            yield from _secrets(tx)
            stamps = store.servers.stamps(tx)
        with cluster.view.read() as tx:
            mine = cluster.view.servers.stamps(tx, cell)
        if records.digests(stamps) != records.digests(mine):
            yield f"8: digests of {cell} differ: {sorted(set(stamps) ^ set(mine))}"
    yield from _ownership(rows, owned)
    yield from _guests(cluster, owned, reset)
    yield from _transfers(cluster)
    yield from _quota(cluster, rows, reservations)


def check_groups(cluster, known) -> None:  # noqa: ANN001
    """Strict policies are kept over all cells (law T7)."""
    by_uuid = {group.uuid: group for group in known}
    placed: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    with cluster.view.read() as tx:
        members = cluster.view.groups.members(tx, list(by_uuid))
        for group, servers in members.items():
            for server in servers:
                row = cluster.view.servers.row(tx, server)
                if row.placed and row.host:
                    placed[group][row.cell, row.host] += 1
    for uuid, hosts in placed.items():
        group = by_uuid[uuid]
        if group.policy == groups.ANTI_AFFINITY:
            assert max(hosts.values()) <= group.max_per_host, (cluster.seed, group, hosts)
        if group.policy == groups.AFFINITY:
            assert len(hosts) == 1, (cluster.seed, group, hosts)


def _ownership(rows, owned):  # noqa: ANN001, ANN202
    for row in rows:
        holders = owned.pop(row.uuid, [])
        if row.deleted or not row.placed:
            if holders:
                yield f"1: {row.uuid} is not in a cell at the top, but held by {holders}"
            if not row.deleted and not row.placed and row.vm_state != "error":
                yield f"6: {row.uuid} is {row.status} {row.task_state} and in no cell"
            continue
        if len(holders) != 1:
            yield f"1: {row.uuid} is held by {len(holders)} cells"
            continue
        cell, held = holders[0]
        if (cell, held.epoch, held.version, held.confirmed) != (
                row.cell, row.epoch, row.version, True):
            yield (f"1: {row.uuid} is at {row.cell} {row.epoch}.{row.version} at the top and at "
                   f"{cell} {held.epoch}.{held.version} confirmed={held.confirmed}")
        if held.server.verb is not None:
            yield f"6: {row.uuid} is still doing {held.server.verb}"
        if view_servers.unpack(row.record) != held.server:
            yield f"1: {row.uuid} has another record at the top"
    for uuid, holders in owned.items():
        yield f"1: {uuid} is held by {holders} and unknown at the top"


def _guests(cluster, owned, reset):  # noqa: ANN001, ANN202
    expected, moves = {}, {}
    for cell, store in cluster.stores.items():
        with store.read() as tx:
            moves.update(store.migrations.open(tx))
            for held in store.servers.many(tx, cell_servers.t.c.host != ""):
                expected[held.uuid] = (cell, held.server)
    for uuid, places in cluster.guests().items():
        if uuid in moves:                # given up, or reset, in the middle: both may have it
            alive = [host for _cell, host, guest in places if guest.power in (1, 3)]
            if not {host for _cell, host, _guest in places} <= moves[uuid].hosts or \
                    len(alive) > 1 and uuid not in cluster.evacuated:
                yield f"3: {uuid} moves between {sorted(moves[uuid].hosts)} and is at {places}"
            if moves[uuid].status != "finished" or uuid not in expected:
                continue
            places = [place for place in places if place[1] == expected[uuid][1].host]
            if not places and expected[uuid][1].rest in ("error", "stopped"):
                continue                 # an operator had a word, or a delete failed
        if len(places) != 1 or uuid not in expected:
            yield f"3: guest {uuid} at {places} has no server"
            continue
        cell, server = expected[uuid]
        where_cell, where_host, guest = places[0]
        if (where_cell, where_host) != (cell, server.host):
            yield f"3: {uuid} belongs on {server.host} and is on {where_host}"
        if guest.power != server.power_state and server.rest != "error":
            yield (f"3: {uuid} ({server.rest}) is said to have power {server.power_state}, and "
                   f"has {guest.power}")
        power = lifecycle.POWER.get(server.rest)
        if power is not None and guest.power != power and uuid not in reset:
            yield f"3: {uuid} is {server.rest} and its guest has power {guest.power}"
    running = set(cluster.guests())
    for uuid, (_cell, server) in expected.items():
        if uuid not in running and server.rest in ("active", "paused", "suspended"):
            yield f"3: {uuid} is {server.rest} and has no guest"
    for (_cell, host), driver in cluster.drivers.items():
        for uuid in list(driver._guests):
            if uuid not in expected and driver.leftovers(uuid):
                yield f"3: {host} keeps {driver.leftovers(uuid)} of {uuid}"


def _quota(cluster, rows, reservations):  # noqa: ANN001, ANN202
    if reservations:
        yield f"5: {len(reservations)} reservations without an operation"
    counted = collections.Counter(row.project_id for row in rows if row.counted)
    for project, count in counted.items():
        with cluster.view.read() as tx:
            usage = cluster.view.quota.usage(tx, project)
        if usage["instances"].total != count:
            yield f"5: usage of {project} is {usage['instances']}, rows say {count}"


def _secrets(tx):  # noqa: ANN001, ANN202
    """Law T22: what a boot needs in secret is gone with it."""
    t = cell_servers.t
    for row in tx.execute(t.select().where(t.c.secrets.is_not(None), t.c.verb == "")):
        yield f"T22: {row.uuid} is {row.rest} and its secrets are kept"


def _transfers(cluster):  # noqa: ANN001, ANN202
    """What hosts hand to one another is taken, or thrown away; else some server says why not."""
    for cell, area in cluster.areas.items():
        with cluster.stores[cell].read() as tx:
            waiting = cluster.stores[cell].migrations.open(tx).keys()
        for uuid in area._disks.keys() - waiting:
            yield f"4: the disk of {uuid} is still on its way in {cell}"
