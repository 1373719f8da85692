"""The outbox: a mark per record that must still go up, written with the record or not at all.

A mark is cleared only up to the (epoch, version) that was sent, so a change that happened
meanwhile stays marked; there is never more than one mark per record.
"""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import tables

t = tables.outbox


class Outbox:
    """The marks."""

    def mark(self, tx: sa.Connection, kind: str, uuid: str, epoch: int, version: int,
             now: float) -> None:
        """This record, at least at this version, must go up."""
        here = (t.c.kind == kind) & (t.c.uuid == uuid)
        if engine.swapped(tx.execute(sa.update(t).where(here).values(
                epoch=epoch, version=version))):
            return
        tx.execute(sa.insert(t).values(kind=kind, uuid=uuid, epoch=epoch, version=version,
                                       marked_at=now))

    def clear(self, tx: sa.Connection, kind: str, uuid: str, epoch: int, version: int) -> bool:
        """What was sent has arrived.  A later change stays marked."""
        return engine.swapped(tx.execute(sa.delete(t).where(
            t.c.kind == kind, t.c.uuid == uuid,
            (t.c.epoch < epoch) | ((t.c.epoch == epoch) & (t.c.version <= version)))))

    def drop(self, tx: sa.Connection, kind: str, uuid: str) -> None:
        """The record itself is gone."""
        tx.execute(sa.delete(t).where(t.c.kind == kind, t.c.uuid == uuid))

    def marks(self, tx: sa.Connection, limit: int) -> list[tuple[str, str, int, int]]:
        """(kind, uuid, epoch, version), longest marked first."""
        query = sa.select(t.c.kind, t.c.uuid, t.c.epoch, t.c.version).order_by(
            t.c.marked_at, t.c.kind, t.c.uuid).limit(limit)
        return [tuple(row) for row in tx.execute(query)]

    def length(self, tx: sa.Connection) -> int:
        """How many records are on their way up."""
        return tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
