# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The services of all cells as the view last heard of them, for the resources that show them.

A cell that has not been heard for a while shows its hosts as they were, and as down: a down
cell hides nothing (law T18).  Liveness is told by our own clock and what we heard, never by a
child's clock (law T17).
"""

import datetime
import hashlib
import typing
import uuid

from nova_cells.api import found
from nova_cells.api import pulse as pulses
from nova_cells.domain import aggregates

COMPUTE = "nova-compute"
HUBS = ("nova-conductor", "nova-scheduler")
INTERNAL = "internal"                    # the zone of what is not a compute host


class Service(typing.NamedTuple):
    """One service of one cell."""

    number: int                          # what clients before 2.53 call it
    uuid: str                            # and what later ones do
    binary: str
    host: str
    cell: str                            # the cell's name
    zone: str
    up: bool
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    updated_at: float


def usable(cell: typing.Any) -> bool:
    """Whether a cell may be asked: a collector calls it up, and sync with it goes on."""
    return bool(cell.up and not cell.halted)


def shown(request: typing.Any) -> list[Service]:
    """Every service, in an answer that is as old as its oldest cell."""
    request.cells.add(found.EVERY)
    return services(request.services.view, request.services.pulse)


def services(view: typing.Any, pulse: pulses.Pulse) -> list[Service]:
    """Every service of every cell."""
    with view.read() as tx:
        cells = {cell.uuid: cell for cell in view.cells.all(tx)}
        hosts, zones = view.records.hosts(tx), view.aggregates.zones(tx)
    alive = {uuid: pulse.alive(cell) for uuid, cell in cells.items()}
    return [*(_hub(cell, binary, alive[cell.uuid]) for cell in cells.values() for binary in HUBS),
            *(_host(number, host, cells[cell], zones.get(host.uuid, aggregates.DEFAULT_ZONE),
                    alive[cell]) for number, cell, host in hosts if cell in cells)]


def _hub(cell: typing.Any, binary: str, alive: bool) -> Service:
    """A cell has one conductor and one scheduler as far as its parent can tell."""
    number = int.from_bytes(hashlib.blake2b(f"{cell.uuid}:{binary}".encode(),
                                            digest_size=4).digest(), "big")
    return Service(
        number=2**30 + number % 2**30,   # hosts count from 1: no collision in a lifetime
        uuid=str(uuid.uuid5(uuid.UUID(cell.uuid), binary)), binary=binary, host=cell.name,
        cell=cell.name, zone=INTERNAL, up=alive, disabled=False,
        disabled_reason=None, forced_down=False, updated_at=cell.heard_at or cell.created_at)


def _host(number: int, host: typing.Any, cell: typing.Any, zone: str, alive: bool) -> Service:
    return Service(
        number=number, uuid=host.uuid, binary=COMPUTE, host=host.name, cell=cell.name,
        zone=zone,
        up=host.up and not host.forced_down and alive, disabled=host.disabled,
        disabled_reason=host.disabled_reason, forced_down=host.forced_down,
        # A host's record goes up when it changes: its cell vouches for one that is up meanwhile.
        updated_at=(cell.heard_at if host.up else host.heard_at) or cell.created_at)


def moment(seconds: float) -> str:
    """A time as the documents of services show it."""
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f")
