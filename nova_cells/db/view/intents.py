"""Intents: orders kept for a cell that is down, delivered until it answers (law T18)."""

import sqlalchemy as sa

from nova_cells.db.view import tables
from nova_cells.domain import codec, commands, errors

t = tables.intents
_origin = codec.Unpacker(commands.Origin)
_ABOUT = sa.select(t.c.server, t.c.epoch).where(
    t.c.cell == sa.bindparam("of_cell"),
    t.c.server.in_(sa.bindparam("servers", expanding=True)))
RETRY = 5.0
LONGEST = 60.0


class Intents:
    """One order per server and cell: so far always to delete."""

    def keep(self, tx: sa.Connection, server: str, cell: str, epoch: int, op: str,
             origin: commands.Origin, now: float, first: float = 0.0) -> None:
        """Keep a delete for this cell.  One that is kept already covers the older epoch too.
        ``Stale`` or ``DBDuplicateEntry`` if somebody kept one meanwhile."""
        values = dict(kind="delete", op=op, epoch=epoch, origin=codec.pack(origin),
                      created_at=now, next_at=now + first, tries=0)
        here = (t.c.server == server) & (t.c.cell == cell)
        if tx.execute(sa.update(t).where(here, t.c.epoch < epoch).values(epoch=epoch)).rowcount:
            return
        known = tx.execute(sa.select(t.c.epoch).where(here)).scalar()
        if known is None:
            tx.execute(sa.insert(t).values(server=server, cell=cell, **values))
        elif known < epoch:
            raise errors.Stale("an older delete was kept meanwhile")

    def due(self, tx: sa.Connection, now: float,
            limit: int = 200) -> list[tuple[str, commands.Delete]]:
        """(cell, command) of those to deliver now; each waits longer for its next time."""
        rows = tx.execute(sa.select(t).where(t.c.next_at <= now).order_by(
            t.c.next_at, t.c.server, t.c.cell).limit(limit)).all()
        found = []
        for row in rows:
            wait = min(LONGEST, RETRY * 2 ** row.tries)
            tx.execute(sa.update(t).where(t.c.server == row.server, t.c.cell == row.cell).values(
                next_at=now + wait, tries=row.tries + 1))
            found.append((row.cell, commands.Delete(
                op=row.op, server=row.server, epoch=row.epoch, origin=_origin(row.origin))))
        return found

    def settle(self, tx: sa.Connection, server: str, cell: str, epoch: int) -> None:
        """The cell carried it out: nothing at this epoch or an older one lives there."""
        tx.execute(sa.delete(t).where(t.c.server == server, t.c.cell == cell,
                                      t.c.epoch <= epoch))

    def of(self, tx: sa.Connection, server: str) -> list[str]:
        """The cells that an order about this server is kept for."""
        return [row.cell for row in tx.execute(sa.select(t.c.cell).where(t.c.server == server))]

    def about(self, tx: sa.Connection, cell: str, servers: list[str]) -> dict[str, int]:
        """Of these servers those whose delete is kept for this cell, up to which epoch.  An older
        epoch than the server's is about an offer of it that went elsewhere."""
        rows = tx.execute(_ABOUT, {"of_cell": cell, "servers": servers}) if servers else ()
        return {row.server: row.epoch for row in rows}

    def count(self, tx: sa.Connection, cell: str | None = None) -> int:
        """How many are kept, for one cell or for all."""
        query = sa.select(sa.func.count()).select_from(t)
        return tx.execute(query.where(t.c.cell == cell) if cell else query).scalar_one()
