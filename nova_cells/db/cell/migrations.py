# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Migrations of a cell: saved by swap on the version, marked for the way up in the same call.

A migration is written in the transaction that begins, moves or ends the verb of its server, and
before the server itself, so that marks are always made in one order.  At most one of a server is
open, for a server does one verb at a time and a further move closes what an earlier one left.
"""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import outbox as marking
from nova_cells.db.cell import tables
from nova_cells.domain import codec, errors
from nova_cells.domain import migration as model
from nova_cells.domain import server as servers

t = tables.migrations
_record = codec.Unpacker(model.Migration)
_SOME = sa.select(t.c.uuid, t.c.record).where(t.c.uuid.in_(sa.bindparam("uuids", expanding=True)))
_OPEN_OF = sa.select(t.c.record).where(t.c.server == sa.bindparam("of_server"), t.c.open).order_by(
    t.c.uuid)
_OPEN = sa.select(t.c.record).where(t.c.open).order_by(t.c.uuid)
_WAITING = sa.select(t.c.server).where(t.c.open, t.c.status == "finished",
                                       t.c.updated_at <= sa.bindparam("before")).order_by(t.c.uuid)
_STAMPS = sa.select(t.c.uuid, t.c.version).order_by(t.c.uuid)
_SAVE = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid"),
                           t.c.version == sa.bindparam("of_version"))
_INSERT = sa.insert(t)


class Migrations:
    """The moves of the cell's servers, over and open."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    def get(self, tx: sa.Connection, uuid: str) -> model.Migration | None:
        """One migration."""
        return self.some(tx, [uuid]).get(uuid)

    def some(self, tx: sa.Connection, uuids: list[str]) -> dict[str, model.Migration]:
        """Those of these that are there."""
        found = tx.execute(_SOME, {"uuids": uuids}) if uuids else ()
        return {row.uuid: _record(row.record) for row in found}

    def open_of(self, tx: sa.Connection, server: str) -> model.Migration | None:
        """The open one of a server."""
        data = tx.execute(_OPEN_OF, {"of_server": server}).scalar()
        return _record(data) if data is not None else None

    def open(self, tx: sa.Connection) -> dict[str, model.Migration]:
        """server -> its open migration, of all."""
        found = [_record(row.record) for row in tx.execute(_OPEN)]
        return {one.server: one for one in found}

    def waiting(self, tx: sa.Connection, before: float) -> list[str]:
        """Servers whose resize was finished before this moment and waits to be confirmed."""
        return list(tx.execute(_WAITING, {"before": before}).scalars())

    def stamps(self, tx: sa.Connection) -> list[tuple[str, int]]:
        """(uuid, version) of all."""
        return [tuple(row) for row in tx.execute(_STAMPS)]

    def insert(self, tx: sa.Connection, one: model.Migration, now: float) -> model.Migration:
        """A move that begins."""
        tx.execute(_INSERT, {"uuid": one.uuid, "server": one.server, **_columns(one)})
        self._outbox.mark(tx, "migration", one.uuid, 0, one.version, now)
        return one

    def save(self, tx: sa.Connection, one: model.Migration, now: float,
             **changes: object) -> model.Migration:
        """The next version.  Raises ``Stale`` if somebody else wrote it."""
        later = servers.replace(one, version=one.version + 1, updated_at=now, **changes)
        if not engine.swapped(tx.execute(_SAVE, {
                "of_uuid": one.uuid, "of_version": one.version, **_columns(later)})):
            raise errors.Stale(f"the migration {one.uuid} changed meanwhile")
        self._outbox.mark(tx, "migration", one.uuid, 0, later.version, now)
        return later


def _columns(one: model.Migration) -> dict[str, object]:
    return {"version": one.version, "status": one.status, "open": one.open, "source": one.source,
            "dest": one.dest, "updated_at": one.updated_at or one.created_at,
            "record": codec.pack(one)}
