# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Whether hosts are up, as documents of servers show it.

By what a collector wrote down last: a host's own record, and whether its cell was heard lately.
Never looks at the world's clock.  Source of the words: the public api-ref ("host_status").
"""

import typing

import sqlalchemy as sa

from nova_cells.db.view import tables
from nova_cells.domain import codec, records

_host = codec.Unpacker(records.HostRecord)
UP, DOWN, MAINTENANCE, UNKNOWN = "UP", "DOWN", "MAINTENANCE", "UNKNOWN"


def statuses(tx: sa.Connection,
             places: typing.Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(cell, host) -> status, for hosts that the view knows."""
    wanted = set(places)
    if not wanted:
        return {}
    hosts, cells = tables.hosts, tables.cells
    query = sa.select(hosts.c.cell, hosts.c.name, hosts.c.record, cells.c.up).join(
        cells, cells.c.uuid == hosts.c.cell).where(
            hosts.c.name.in_({host for _, host in wanted}),
            hosts.c.cell.in_({cell for cell, _ in wanted}))
    return {(row.cell, row.name): _status(_host(row.record), row.up)
            for row in tx.execute(query) if (row.cell, row.name) in wanted}


class Silent:
    """Of which cells nothing new comes, and since when: asked anew at most once in ``keep``
    seconds.  One whose sync stopped is heard, and says nothing that is taken."""

    def __init__(self, monotonic: typing.Callable[[], float], keep: float = 1.0) -> None:
        self._monotonic, self._keep = monotonic, keep
        self._until = float("-inf")
        self._known: dict[str, float] = {}

    def fresh(self) -> dict[str, float] | None:
        """As ``since``, if that was asked just now; None: ask."""
        return self._known if self._monotonic() < self._until else None

    def since(self, tx: sa.Connection) -> dict[str, float]:
        """Cell -> when something of it was taken last, for cells that are down or halted."""
        now = self._monotonic()
        if now >= self._until:
            cells = tables.cells
            rows = tx.execute(sa.select(cells.c.uuid, cells.c.heard_at, cells.c.halted,
                                        cells.c.updated_at).where(
                                            ~cells.c.up | cells.c.halted.is_not(None)))
            self._known = {row.uuid: min(row.heard_at, row.updated_at) if row.halted
                           else row.heard_at for row in rows}
            self._until = now + self._keep
        return self._known


def _status(host: records.HostRecord, cell_up: bool) -> str:
    if host.forced_down:
        return DOWN
    if not host.up or not cell_up:
        return UNKNOWN
    return MAINTENANCE if host.disabled else UP
