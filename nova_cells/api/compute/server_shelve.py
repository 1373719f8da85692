# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""shelve, shelveOffload, unshelve: a server kept as an image, and brought back.

Source: the public api-ref, "Servers - run an action".
"""

import typing

from nova_cells.api import acting, found, image_making, policy, server_target, shapes
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

_ZONE, _HOST = 77, 91                    # minor versions that have them


def shelve(request: typing.Any) -> None:
    """Off, its disk in an image, and by default off its host."""
    row = acting.allowed(request, "os-shelve:shelve")
    record = found.unpack(row.record)
    image = None if record.image is None else image_making.described(
        request, record, f"{record.name}-shelved", "snapshot", {})
    image_making.begin(request, row, "shelve", image)


def unshelve(request: typing.Any) -> None:
    """Back where it was, or wherever there is room; in a zone (2.77) or on a host (2.91)."""
    row = acting.allowed(request, "os-shelve:unshelve")
    given = request.body["unshelve"]
    given = given if isinstance(given, dict) and request.version >= _ZONE else {}
    record = found.unpack(row.record)
    options: dict[str, str] = {}
    host = given.get("host") if request.version >= _HOST else None
    if "availability_zone" in given or host:
        _only_offloaded(record)
    if "availability_zone" in given:
        zone = given["availability_zone"]
        options = {wants.ZONE: zone} if zone else {wants.UNPIN: "1"}
    with request.services.view.read() as tx:
        zone = options.get(wants.ZONE)
        if zone and zone not in server_target.zones(request.services.view, tx):
            raise errors.Invalid("The requested availability zone is not available")
        if host:
            _check_host(request, tx, row, host, zone or (
                None if options else record.pinned_availability_zone))
    acting.act(request, row, "unshelve", wanted=wants.Wanted(host=host or None, options=options))


def _only_offloaded(record: model.Server) -> None:
    if record.rest != "shelved_offloaded":
        raise errors.Conflict(
            f'Specifying an availability zone or a host when unshelving server "{record.uuid}" '
            f'with status "{record.rest}" is not supported. The server status must be '
            f'SHELVED_OFFLOADED.')


def _check_host(request: typing.Any, tx: typing.Any, row: typing.Any, host: str,
                zone: str | None) -> None:
    """It must be there, and in the zone that the server will be pinned to."""
    request.authorize(acting.API + "os-shelve:unshelve_to_host", found.target(row))
    known = [record for _number, cell, record in request.services.view.records.hosts(tx)
             if record.name == host and cell == row.cell]
    if not known:
        raise errors.Invalid(f"Compute host {host} could not be found.")
    if zone is not None and known[0].availability_zone != zone:
        raise errors.Conflict(f'Host "{host}" is not in the availability zone "{zone}".')


_where = {"type": ["object", "null"], "additionalProperties": False,
          "required": ["availability_zone"], "properties": {"availability_zone": shapes.name}}
_where_or_host = {"type": ["object", "null"], "additionalProperties": False, "properties": {
    "availability_zone": {"type": ["string", "null"]}, "host": {"type": "string"}}}
_unshelve = acting.bare("unshelve").since("2.77", unshelve=_where).since(
    "2.91", unshelve=_where_or_host)

ACTIONS = (
    acting.action("shelve", shelve),
    acting.action("shelveOffload", acting.verb("shelve_offload", "os-shelve:shelve_offload")),
    acting.action("unshelve", unshelve, _unshelve),
)
RULES = (
    acting.rule("os-shelve:shelve", description="Shelve a server."),
    acting.rule("os-shelve:shelve_offload", policy.ADMIN, "Take a shelved server off its host."),
    acting.rule("os-shelve:unshelve", description="Bring a shelved server back."),
    acting.rule("os-shelve:unshelve_to_host", policy.ADMIN,
                "Bring an offloaded server back on a certain host (2.91)."),
)
