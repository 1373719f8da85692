# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What may be done to a host aggregate, and how the cells of its hosts hear of it.

A host is in one availability zone at most, and does not leave it while it has servers.  A cell that
does not answer is told later, by a collector: until then it goes on by what it knows.  May assume
that the caller is allowed to.
"""

import logging
import typing

from nova_cells.api import fleet
from nova_cells.domain import address, aggregates, commands, errors

LOG = logging.getLogger(__name__)
BUDGET = 3.0                     # seconds that an admin waits for a cell
ADD = "Cannot add host to aggregate {}. Reason: {}."
REMOVE = "Cannot remove host from aggregate {}. Reason: {}."
UPDATE = "Cannot update aggregate {}. Reason: {}."
METADATA = "Cannot update metadata of aggregate {}. Reason: {}."
OTHER_ZONE = "One or more hosts already in availability zone(s) {}"
OCCUPIED = "One or more hosts contain instances in this zone"


def host(request: typing.Any, tx: typing.Any, name: str) -> tuple[str, typing.Any] | None:
    """(cell, record) of the host of this name, or None.  ``Conflict`` if two cells have one:
    then it is named with its cell, as ``host.cell``."""
    view = request.services.view
    cells = {cell.uuid: cell.name for cell in view.cells.all(tx)}
    known = [(cell, record) for _number, cell, record in view.records.hosts(tx)]
    named = [one for one in known if one[1].name == name] or [
        one for one in known if f"{one[1].name}.{cells.get(one[0])}" == name]
    if len(named) > 1:
        listed = ", ".join(sorted(cells.get(cell, cell) for cell, _record in named))
        raise errors.Conflict(f"More than one cell has a host {name[:64]} ({listed}): name it as "
                              f"host.cell.")
    return named[0] if named else None


def servers_on(request: typing.Any, tx: typing.Any, uuids: typing.Iterable[str]) -> int:
    """How many servers are on these hosts."""
    view, wanted = request.services.view, set(uuids)
    counted = view.servers.live_by_host(tx)
    return sum(counted.get((cell, record.name), 0)
               for _number, cell, record in view.records.hosts(tx) if record.uuid in wanted)


def may_zone(request: typing.Any, tx: typing.Any, one: typing.Any, zone: str,
             sentence: str) -> None:
    """Raise ``Invalid`` unless this may be the zone of an aggregate with the hosts it has."""
    if not zone:
        raise errors.Invalid(sentence.format(
            one.id, f"Aggregate {one.id} does not support empty named availability zone"))
    if zone == one.zone or not one.hosts:
        return
    others = {other.zone for other in request.services.view.aggregates.all(tx)
              if other.id != one.id and other.zone and set(other.hosts) & set(one.hosts)}
    if others - {zone}:
        raise errors.Invalid(sentence.format(one.id, OTHER_ZONE.format(sorted(others))))
    if not others and servers_on(request, tx, one.hosts):
        raise errors.Invalid(sentence.format(one.id, OCCUPIED))


def may_add(request: typing.Any, tx: typing.Any, one: typing.Any, uuid: str) -> None:
    """Raise ``Conflict`` unless this host may come into an aggregate."""
    if uuid in one.hosts:
        raise errors.Conflict(f"Aggregate {one.id} already has host "
                              f"{one.names[one.hosts.index(uuid)]}.")
    before = request.services.view.aggregates.zones(tx).get(uuid)
    if one.zone is None or before == one.zone:
        return
    if before is not None:
        raise errors.Conflict(ADD.format(one.id, OTHER_ZONE.format([before])))
    count = servers_on(request, tx, [uuid])
    if count and one.zone != aggregates.DEFAULT_ZONE:
        raise errors.Conflict(ADD.format(one.id, _occupied(before, one.zone, count)))


def may_remove(request: typing.Any, tx: typing.Any, one: typing.Any, uuid: str) -> None:
    """Raise ``Conflict`` unless this host may leave an aggregate."""
    others = {other.zone for other in request.services.view.aggregates.all(tx)
              if other.id != one.id and other.zone and uuid in other.hosts}
    if one.zone in (None, aggregates.DEFAULT_ZONE) or others:
        return
    count = servers_on(request, tx, [uuid])
    if count:
        raise errors.Conflict(REMOVE.format(one.id, _occupied(one.zone, None, count)))


def _occupied(before: str | None, after: str | None, count: int) -> str:
    return (f"the availability zone of the host would change from '{before}' to '{after}' but the "
            f"host already has {count} instance(s)")


def tell(request: typing.Any, cells: typing.Iterable[str]) -> None:
    """Let these cells know at once, if they listen."""
    services, view = request.services, request.services.view
    with view.read() as tx:
        known = {cell.uuid: cell for cell in view.cells.all(tx)}
        sent = {uuid: view.aggregates.of_cell(tx, uuid) for uuid in sorted(set(cells))
                if uuid in known and fleet.usable(known[uuid])}
    for uuid, (version, found) in sent.items():
        try:
            services.client.call(address.Cell(uuid), commands.Aggregates(
                version=version, aggregates=found), BUDGET)
        except errors.Problem as problem:        # a collector says it again
            LOG.info("cell=%s is told of host aggregates later: %s", uuid, problem)


def cache(request: typing.Any, one: typing.Any, images: tuple) -> None:
    """Have the cells of an aggregate's hosts tell them to fetch images."""
    services = request.services
    for cell in sorted(one.cells):
        try:
            services.client.cast(address.Cell(cell), commands.CacheImages(
                hosts=one.hosts, images=images))
        except errors.Problem as problem:        # they fetch them when they are needed
            LOG.info("cell=%s is not told to cache images: %s", cell, problem)
