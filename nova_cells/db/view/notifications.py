# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Notifications on their way out: written in the transaction that took the record in.

So none is lost and none tells of what was rolled back (at least once).  Numbers order them; of one
server they are written one after another, for its row is swapped first.  One collector at a time
sends, by a lease that moves while its holder lives: whether it does is told by one's own clock
alone (law T17).  Two that send at once would repeat some and disorder none, for each sends from
the oldest on.
"""

import collections.abc
import typing

import orjson
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import commands, notifications
from nova_cells.domain import server as model

t, leases = tables.notifications, tables.leases
LEASE = "notifications"
_OLDEST = sa.select(t).order_by(t.c.id).limit(sa.bindparam("most"))
_SENT = sa.delete(t).where(t.c.id.in_(sa.bindparam("ids", expanding=True)))


class Waiting(typing.NamedTuple):
    """One that is to be sent."""

    id: int
    event_type: str
    payload: bytes               # JSON
    created_at: float


class Notifications:
    """What must still be told.  Not ``wanted``: nothing is written at all."""

    def __init__(self, wanted: bool = False) -> None:
        self.wanted = wanted

    def servers(self, tx: sa.Connection, servers: collections.abc.Iterable[model.Server],
                now: float) -> None:
        """These records were taken in just now."""
        if self.wanted:
            self._put(tx, [(server.uuid, notifications.updated(server)) for server in servers],
                      now)

    def action(self, tx: sa.Connection, action: commands.ActionRecord,
               server: model.Server | None, now: float) -> None:
        """This action was taken in just now."""
        if self.wanted and server is not None:
            self._put(tx, [(server.uuid, notifications.acted(action, server))], now)

    def oldest(self, tx: sa.Connection, most: int = 100) -> list[Waiting]:
        """Those to send next, in their order."""
        return [Waiting(row.id, row.event_type, row.payload, row.created_at)
                for row in tx.execute(_OLDEST, {"most": most})]

    def sent(self, tx: sa.Connection, ids: list[int]) -> None:
        """The broker has these."""
        if ids:
            tx.execute(_SENT, {"ids": ids})

    def count(self, tx: sa.Connection) -> int:
        """How many wait."""
        return tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()

    # -- who sends ------------------------------------------------------------------------------

    def lease(self, tx: sa.Connection) -> tuple[str, int] | None:
        """Who sends, and how often it said so."""
        row = tx.execute(sa.select(leases).where(leases.c.name == LEASE)).first()
        return (row.holder, row.beat) if row is not None else None

    def take(self, tx: sa.Connection, holder: str, seen: tuple[str, int] | None) -> bool:
        """Become or stay the sender, if nobody moved since it was ``seen``.  ``DBDuplicateEntry``
        if another was first."""
        if seen is None:
            tx.execute(sa.insert(leases).values(name=LEASE, holder=holder, beat=1))
            return True
        return engine.swapped(tx.execute(sa.update(leases).where(
            leases.c.name == LEASE, leases.c.holder == seen[0], leases.c.beat == seen[1]).values(
                holder=holder, beat=seen[1] + 1)))

    def _put(self, tx: sa.Connection, found: list[tuple[str, tuple[str, dict]]],
             now: float) -> None:
        if found:
            tx.execute(sa.insert(t), [
                {"server": server, "event_type": event_type, "created_at": now,
                 "payload": orjson.dumps(payload)} for server, (event_type, payload) in found])
