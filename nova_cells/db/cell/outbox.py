"""The outbox: a mark per record that must still go up, written with the record or not at all.

A mark is cleared only up to the (epoch, version) that was sent, so a change that happened
meanwhile stays marked; there is never more than one mark per record.
"""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import tables

OWN = 5000                       # marks that a process remembers to have made
t = tables.outbox
# Said once: these run with every change, and making a statement costs more than carrying it out.
_HERE = (t.c.kind == sa.bindparam("of_kind")) & (t.c.uuid == sa.bindparam("of_uuid"))
_EPOCH, _VERSION = sa.bindparam("to_epoch"), sa.bindparam("to_version")
# Only ever raised: who marks what it has read may come after who changed it.  The version first,
# for MariaDB sets one column after the other.
_AGAIN = sa.update(t).where(_HERE).ordered_values(
    (t.c.version, sa.case((t.c.epoch < _EPOCH, _VERSION),
                          ((t.c.epoch == _EPOCH) & (t.c.version < _VERSION), _VERSION),
                          else_=t.c.version)),
    (t.c.epoch, sa.case((t.c.epoch < _EPOCH, _EPOCH), else_=t.c.epoch)))
_FIRST = sa.insert(t)
_GONE = sa.delete(t).where(_HERE)
_ARRIVED = sa.delete(t).where(_HERE, (t.c.epoch < _EPOCH) | (
    (t.c.epoch == _EPOCH) & (t.c.version <= _VERSION)))
_OLDEST = sa.select(t.c.kind, t.c.uuid, t.c.epoch, t.c.version).order_by(
    t.c.marked_at, t.c.kind, t.c.uuid).limit(sa.bindparam("most"))


# As changes mark them: no deadlocks.
_ORDER = {"user_data": -2, "migration": -1, "server": 0, "action": 1, "host": 2, "slots": 3}


def _order(mark: tuple[str, str, int, int]) -> tuple[int, str]:
    return _ORDER.get(mark[0], len(_ORDER)), mark[1]


class Outbox:
    """The marks.  ``own``: which of them this process made lately, for its relay to begin with."""

    def __init__(self) -> None:
        self.own: dict[tuple[str, str], int] = {}

    def mark(self, tx: sa.Connection, kind: str, uuid: str, epoch: int, version: int,
             now: float) -> None:
        """This record, at least at this version, must go up."""
        if not self._raise(tx, kind, uuid, epoch, version):
            tx.execute(_FIRST, {"kind": kind, "uuid": uuid, "epoch": epoch, "version": version,
                                "marked_at": now})

    def clear(self, tx: sa.Connection, kind: str, uuid: str, epoch: int, version: int) -> bool:
        """What was sent has arrived.  A later change stays marked."""
        return engine.swapped(tx.execute(_ARRIVED, {
            "of_kind": kind, "of_uuid": uuid, "to_epoch": epoch, "to_version": version}))

    def mark_all(self, tx: sa.Connection, kind: str, stamps: list[tuple[str, int, int]],
                 now: float) -> None:
        """``mark`` for many (uuid, epoch, version)."""
        missing = [{"kind": kind, "uuid": uuid, "epoch": epoch, "version": version,
                    "marked_at": now}
                   for uuid, epoch, version in sorted(stamps)    # one order: no deadlocks
                   if not self._raise(tx, kind, uuid, epoch, version)]
        if missing:
            tx.execute(_FIRST, missing)

    def _raise(self, tx: sa.Connection, kind: str, uuid: str, epoch: int, version: int) -> bool:
        """Whether there is a mark; it is at least at this version then."""
        self._note(kind, uuid)
        return engine.swapped(tx.execute(_AGAIN, {
            "of_kind": kind, "of_uuid": uuid, "to_epoch": epoch, "to_version": version}))

    def clear_all(self, tx: sa.Connection,
                  arrived: list[tuple[str, str, int, int]]) -> None:
        """``clear`` for many (kind, uuid, epoch, version)."""
        if arrived:
            tx.execute(_ARRIVED, [
                {"of_kind": kind, "of_uuid": uuid, "to_epoch": epoch, "to_version": version}
                for kind, uuid, epoch, version in sorted(arrived, key=_order)])

    def drop(self, tx: sa.Connection, kind: str, uuid: str) -> None:
        """The record itself is gone."""
        tx.execute(_GONE, {"of_kind": kind, "of_uuid": uuid})

    def marks(self, tx: sa.Connection, limit: int) -> list[tuple[str, str, int, int]]:
        """(kind, uuid, epoch, version), longest marked first."""
        return [tuple(row) for row in tx.execute(_OLDEST, {"most": limit})]

    def some(self, tx: sa.Connection,
             keys: list[tuple[str, str]]) -> list[tuple[str, str, int, int]]:
        """The marks of these (kind, uuid), as far as there are any."""
        found: list[tuple[str, str, int, int]] = []
        for kind in sorted({kind for kind, _uuid in keys}):
            uuids = [uuid for known, uuid in keys if known == kind]
            found += [tuple(row) for row in tx.execute(
                sa.select(t.c.kind, t.c.uuid, t.c.epoch, t.c.version).where(
                    t.c.kind == kind, t.c.uuid.in_(uuids)))]
        return found

    def _note(self, kind: str, uuid: str) -> None:
        if len(self.own) < OWN:          # what is forgotten is found among the oldest
            self.own[kind, uuid] = 0

    def length(self, tx: sa.Connection) -> int:
        """How many records are on their way up."""
        return tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
