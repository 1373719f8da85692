# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands of the cell's servers: volumes and interfaces.  They never go up by themselves.

One function saves, by swap on the version.  What is gone stays a while, so that whoever waits
hears why; it is out of the way of the volume or port, which may be attached again.
"""

import typing

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import tables
from nova_cells.domain import codec, errands, errors

t = tables.errands
_record = codec.Unpacker(errands.Errand)
_HELD = sa.select(t.c.op, t.c.host, t.c.began_at, t.c.record)
_ONE = _HELD.where(t.c.uuid == sa.bindparam("of_uuid"))
_OF = _HELD.where(t.c.server == sa.bindparam("of_server"), t.c.rest != "gone").order_by(
    t.c.began_at, t.c.uuid)
_OPEN = _HELD.where(t.c.verb != "").order_by(t.c.uuid)
_DUE = sa.select(t.c.uuid).where(t.c.verb != "", t.c.due_at <= sa.bindparam("at")).order_by(
    t.c.uuid)
_SAVE = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid"),
                           t.c.version == sa.bindparam("of_version"))
_INSERT = sa.insert(t)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An errand as the cell holds it."""

    errand: errands.Errand
    op: str | None
    host: str                    # that has its task; "": none
    began_at: float


class Errands:
    """The errands of the cell."""

    def get(self, tx: sa.Connection, uuid: str) -> Held | None:
        """One errand, also one that is gone."""
        row = tx.execute(_ONE, {"of_uuid": uuid}).first()
        return _held(row) if row is not None else None

    def of(self, tx: sa.Connection, server: str) -> list[errands.Errand]:
        """Those of a server that are not gone, oldest first."""
        return [held.errand for held in self.held_of(tx, server)]

    def held_of(self, tx: sa.Connection, server: str) -> list[Held]:
        """The same, as they are held."""
        return [_held(row) for row in tx.execute(_OF, {"of_server": server})]

    def open(self, tx: sa.Connection) -> list[Held]:
        """Those that are doing a verb."""
        return [_held(row) for row in tx.execute(_OPEN)]

    def due(self, tx: sa.Connection, now: float) -> list[str]:
        """Uuids of those that the watchdog should ask about."""
        return list(tx.execute(_DUE, {"at": now}).scalars())

    def all(self, tx: sa.Connection) -> list[errands.Errand]:
        """All that are not gone (for checks)."""
        return [_held(row).errand for row in tx.execute(
            _HELD.where(t.c.rest != "gone").order_by(t.c.server, t.c.uuid))]

    def insert(self, tx: sa.Connection, errand: errands.Errand, now: float,
               **more: typing.Any) -> None:
        """A new one.  ``DBDuplicateEntry`` if its subject is attached to the server already and
        was not when this transaction looked."""
        tx.execute(_INSERT, {"host": "", "op": None, "began_at": now, "due_at": 0.0,
                             **_columns(errand), **more})

    def save(self, tx: sa.Connection, errand: errands.Errand, **more: typing.Any) -> None:
        """The one way to change it.  Raises ``Stale`` when somebody was faster."""
        if not engine.swapped(tx.execute(_SAVE, {
                "of_uuid": errand.uuid, "of_version": errand.version - 1,
                **_columns(errand), **more})):
            raise errors.Stale(f"errand {errand.uuid} changed meanwhile")

    def ask_later(self, tx: sa.Connection, errand: errands.Errand, **more: typing.Any) -> None:
        """When the watchdog asks next, and whom.  Raises ``Stale`` if it is not as it was read."""
        if not engine.swapped(tx.execute(_SAVE, {
                "of_uuid": errand.uuid, "of_version": errand.version, **more})):
            raise errors.Stale(f"errand {errand.uuid} changed meanwhile")

    def forget(self, tx: sa.Connection, server: str) -> None:
        """Drop those of an offer that was never confirmed: nothing was asked for them."""
        tx.execute(sa.delete(t).where(t.c.server == server))

    def purge(self, tx: sa.Connection, before: float) -> None:
        """Forget what has long been gone."""
        tx.execute(sa.delete(t).where(t.c.rest == "gone", t.c.began_at < before))


def _columns(errand: errands.Errand) -> dict[str, typing.Any]:
    return {"uuid": errand.uuid, "server": errand.server, "kind": errand.kind,
            "subject": errand.subject or errand.uuid, "version": errand.version,
            "rest": errand.rest, "verb": errand.verb or "", "record": codec.pack(errand)}


def _held(row: sa.Row) -> Held:
    return Held(errand=_record(row.record), op=row.op, host=row.host, began_at=row.began_at)
