"""Hosts of the cell, as they say of themselves: records that go up like any other."""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import outbox as marking
from nova_cells.db.cell import tables
from nova_cells.domain import codec, records
from nova_cells.domain import server as model

t = tables.hosts
_RECORD = sa.select(t.c.record).where(t.c.name == sa.bindparam("of_name"))
_RECORDS = sa.select(t.c.record).order_by(t.c.name)
_SIGNS = sa.select(t.c.name, t.c.up, t.c.heard_at).order_by(t.c.name)
_HEARD = sa.update(t).where(t.c.name == sa.bindparam("of_name"))
_host = codec.Unpacker(records.HostRecord)


class Hosts:
    """The hosts."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    def get(self, tx: sa.Connection, name: str) -> records.HostRecord | None:
        """One host, by its name within the cell."""
        data = tx.execute(_RECORD, {"of_name": name}).scalar()
        return _host(data) if data is not None else None

    def all(self, tx: sa.Connection) -> list[records.HostRecord]:
        """Every host, by name."""
        return [_host(row.record) for row in tx.execute(_RECORDS)]

    def put(self, tx: sa.Connection, host: records.HostRecord, now: float) -> records.HostRecord:
        """Save the next version, and mark it."""
        host = model.replace(host, version=host.version + 1)
        values = {"uuid": host.uuid, "version": host.version, "up": host.up,
                  "record": codec.pack(host)}
        known = tx.execute(sa.update(t).where(t.c.name == host.name).values(**values))
        if not engine.swapped(known):
            tx.execute(sa.insert(t).values(name=host.name, heard_at=now, **values))
        self._outbox.mark(tx, "host", host.uuid, 0, host.version, now)
        return host

    def heard(self, tx: sa.Connection, name: str, now: float) -> None:
        """The host spoke.  Not part of its record: it is no news."""
        tx.execute(_HEARD, {"of_name": name, "heard_at": now})

    def signs(self, tx: sa.Connection) -> list[tuple[str, bool, float]]:
        """(name, up, heard_at) of every host."""
        return [tuple(row) for row in tx.execute(_SIGNS)]

    def silent(self, tx: sa.Connection, name: str, heard_at: float) -> bool:
        """The host has not spoken since ``heard_at``, and for too long: down.  A compare-and-swap
        on what was read, so that a host that spoke meanwhile stays up."""
        return engine.swapped(tx.execute(sa.update(t).where(
            t.c.name == name, t.c.heard_at == heard_at, t.c.up).values(up=False)))

    def by_uuid(self, tx: sa.Connection, uuid: str) -> records.HostRecord | None:
        """One host, by the uuid on its own disk."""
        data = tx.execute(sa.select(t.c.record).where(t.c.uuid == uuid)).scalar()
        return _host(data) if data is not None else None
