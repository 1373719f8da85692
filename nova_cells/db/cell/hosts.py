# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts of the cell, as they say of themselves: records that go up like any other.

A host that was forgotten stays as a tombstone, out of the way of its name, so that its record
goes up and its versions never begin again.  Every change is a compare-and-swap on the version.
"""

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import outbox as marking
from nova_cells.db.cell import tables
from nova_cells.domain import codec, errors, records
from nova_cells.domain import server as model

t, s = tables.hosts, tables.signs
FORGOTTEN = "forgotten "         # before the uuid: what a tombstone has for a name
_LIVING = ~t.c.name.startswith(FORGOTTEN)
_RECORD = sa.select(t.c.record).where(t.c.name == sa.bindparam("of_name"))
_BY_UUID = sa.select(t.c.record).where(t.c.uuid == sa.bindparam("of_uuid"))
_RECORDS = sa.select(t.c.record).where(_LIVING).order_by(t.c.name)
_STAMPS = sa.select(t.c.uuid, t.c.version).order_by(t.c.name)
_NAMES = sa.select(t.c.name, t.c.uuid, t.c.up).where(_LIVING).order_by(t.c.name)
_SAVE = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid"),
                           t.c.version == sa.bindparam("of_version"))
_SIGNS = sa.select(s.c.conductor, s.c.heard).order_by(s.c.conductor)
_NOTE = sa.update(s).where(s.c.conductor == sa.bindparam("of_conductor"))
_SERVERS = sa.select(sa.func.count()).select_from(tables.servers).where(
    tables.servers.c.host == sa.bindparam("of_name"), tables.servers.c.rest != "deleted")
_m = tables.migrations
_MOVES = sa.select(sa.func.count()).select_from(_m).where(
    _m.c.open, (_m.c.source == sa.bindparam("of_name")) | (_m.c.dest == sa.bindparam("of_name")))
_host = codec.Unpacker(records.HostRecord)
_heard = msgspec.msgpack.Decoder(dict[str, int])


class Hosts:
    """The hosts."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    def get(self, tx: sa.Connection, name: str) -> records.HostRecord | None:
        """One host, by its name within the cell."""
        data = tx.execute(_RECORD, {"of_name": name}).scalar()
        return _host(data) if data is not None else None

    def by_uuid(self, tx: sa.Connection, uuid: str) -> records.HostRecord | None:
        """One host, or its tombstone, by the uuid on its own disk."""
        data = tx.execute(_BY_UUID, {"of_uuid": uuid}).scalar()
        return _host(data) if data is not None else None

    def all(self, tx: sa.Connection) -> list[records.HostRecord]:
        """Every host, by name."""
        return [_host(row.record) for row in tx.execute(_RECORDS)]

    def stamps(self, tx: sa.Connection) -> list[tuple[str, int]]:
        """(uuid, version) of every record, tombstones included."""
        return [tuple(row) for row in tx.execute(_STAMPS)]

    def names(self, tx: sa.Connection) -> dict[str, tuple[str, bool]]:
        """name -> (uuid, up) of every host."""
        return {row.name: (row.uuid, row.up) for row in tx.execute(_NAMES)}

    def servers_on(self, tx: sa.Connection, name: str) -> int:
        """How many servers are on a host, were offered and claimed it, or move from or to it."""
        return sum(tx.execute(query, {"of_name": name}).scalar_one()
                   for query in (_SERVERS, _MOVES))

    def put(self, tx: sa.Connection, host: records.HostRecord, now: float) -> records.HostRecord:
        """Save the next version, and mark it.  Raises ``Stale`` if somebody else did."""
        before, host = host.version, model.replace(host, version=host.version + 1)
        values = {"name": FORGOTTEN + host.uuid if host.deleted else host.name,
                  "version": host.version, "up": host.up, "record": codec.pack(host)}
        if not before:
            tx.execute(sa.insert(t).values(uuid=host.uuid, heard_at=now, **values))
        elif not engine.swapped(tx.execute(_SAVE, {
                "of_uuid": host.uuid, "of_version": before, "heard_at": now, **values})):
            raise errors.Stale(f"the host {host.name} changed meanwhile")
        self._outbox.mark(tx, "host", host.uuid, 0, host.version, now)
        return host

    # -- signs of life ----------------------------------------------------------------------------

    def note(self, tx: sa.Connection, conductor: str, heard: dict[str, int]) -> None:
        """Whom this conductor has heard, and how often: for the other conductors."""
        data = msgspec.msgpack.encode(heard)
        if not engine.swapped(tx.execute(_NOTE, {"of_conductor": conductor, "heard": data})):
            tx.execute(sa.insert(s).values(conductor=conductor, heard=data))

    def notes(self, tx: sa.Connection) -> dict[str, dict[str, int]]:
        """conductor -> host -> how often it was heard."""
        return {row.conductor: _heard.decode(row.heard) for row in tx.execute(_SIGNS)}

    def drop_note(self, tx: sa.Connection, conductor: str) -> None:
        """Of a conductor that is gone."""
        tx.execute(sa.delete(s).where(s.c.conductor == conductor))
