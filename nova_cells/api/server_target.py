# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Where a new server is to go: zone, host, and hints, as far as the asker may say.

Hints that name servers become hosts here, at the top: a cell never looks a server up.  User
input and internal fields never share a dictionary (law T23): of the hints, only what stands
below is obeyed, and names that begin with an underscore are not even kept.
"""

import typing

import orjson

from nova_cells.api import formats, found
from nova_cells.domain import aggregates, errors, groups

FORCED = "os_compute_api:servers:create:forced_host"
DESTINATION = "compute:servers:create:requested_destination"
_MOST = 100                              # servers that a hint may name


class Target(typing.NamedTuple):
    """Where to, and where not."""

    zone: str | None = None
    forced_host: str | None = None
    only: tuple[tuple[str, str], ...] = ()       # (cell, host)
    avoid: tuple[tuple[str, str], ...] = ()
    group: groups.Group | None = None


def resolve(request: typing.Any, tx: typing.Any, given: dict, hints: dict) -> Target:
    """What the body says, looked up."""
    zone, host = _zone(request, given.get("availability_zone"))
    view = request.services.view
    if zone is not None and zone not in zones(view, tx):
        raise errors.Invalid("The requested availability zone is not available")
    host = _destination(request, tx, given) or host
    only = _hosts(request, tx, hints.get("same_host"))
    if hints.get("same_host") and not only:
        raise errors.Invalid("The hint same_host names no server that is on a host.")
    return Target(zone, host, only, _hosts(request, tx, hints.get("different_host")),
                  _group(request, tx, hints.get("group")))


def _zone(request: typing.Any, given: str | None) -> tuple[str | None, str | None]:
    """zone, zone:host or zone:host:node; the latter two for admins."""
    zone, _, rest = (given or "").partition(":")
    host = rest.partition(":")[0]
    if given is not None and ":" in given:
        if given.count(":") > 2:
            raise errors.Invalid(f"The supplied zone {given[:64]} is not of the form "
                                 f"zone:host:node.")
        request.authorize(FORCED)
    return zone or None, host or None


def _group(request: typing.Any, tx: typing.Any, uuid: str | None) -> groups.Group | None:
    """The group of the hint, if the asker may know of it."""
    if uuid is None:
        return None
    try:
        row = request.services.view.groups.get(tx, formats.usual_uuid(uuid))
    except errors.NotFound as problem:
        raise errors.Invalid(problem.message) from None
    if row.project_id != request.context.project_id and not request.admin:
        raise errors.Invalid(f"Instance group {uuid} could not be found.")
    return groups.Group(uuid=row.uuid, policy=row.policy, max_per_host=row.max_per_host or 1)


def zones(view: typing.Any, tx: typing.Any) -> set[str]:
    """The availability zones of all cells."""
    by_cell = view.aggregates.zones_by_cell(tx).values()
    return {zone for some in by_cell for zone in some} or {aggregates.DEFAULT_ZONE}


def _destination(request: typing.Any, tx: typing.Any, given: dict) -> str | None:
    """host and hypervisor_hostname of 2.74."""
    host, node = given.get("host"), given.get("hypervisor_hostname")
    if host is None and node is None:
        return None
    request.authorize(DESTINATION)
    if ":" in given.get("availability_zone", ""):
        raise errors.Invalid("A host is given twice: with host or hypervisor_hostname, and with "
                             "availability_zone.")
    for _number, _cell, record in request.services.view.records.hosts(tx):
        if (host in (None, record.name)
                and node in (None, record.hypervisor_hostname or record.name)):
            return record.name
    raise errors.Invalid(f"Compute host {host or node} could not be found.")


def _hosts(request: typing.Any, tx: typing.Any,
           named: str | list[str] | None) -> tuple[tuple[str, str], ...]:
    """(cell, host) of the servers that a hint names and the asker may know of."""
    uuids = [named] if isinstance(named, str) else named or []
    if len(uuids) > _MOST:
        raise errors.Invalid(f"A hint names at most {_MOST} servers.")
    places = []
    for uuid in uuids:
        try:
            row = found.row(request, tx, formats.usual_uuid(uuid))
        except errors.NotFound:
            continue
        if row.placed and row.host:
            places.append((row.cell, row.host))
    return tuple(dict.fromkeys(places))


def shown(hints: dict[str, typing.Any]) -> dict[str, list[str] | str]:
    """The hints as 2.100 shows them: what the user gave, as text."""
    kept: dict[str, list[str] | str] = {}
    for name, value in hints.items():
        if name.startswith("_") or len(name) > 255:
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            kept[name] = value
        else:
            kept[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return kept
