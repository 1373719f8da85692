"""Offers: boots handed to a cell.  Confirming one and moving it on are compare-and-swaps on the
same row, so exactly one wins and no clock decides (law T6).
"""

import json

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import boot, codec, commands
from nova_cells.domain import server as model

t = tables.offers
_request = codec.Unpacker(boot.BootRequest)
_secrets = codec.Unpacker(boot.Sealed)
_origin = codec.Unpacker(commands.Origin)
_INSERT = sa.insert(t)
_GET = sa.select(t).where(t.c.server == sa.bindparam("of_server"))
_CONFIRM = sa.delete(t).where(
    t.c.server == sa.bindparam("of_server"), t.c.epoch == sa.bindparam("of_epoch"),
    t.c.cell == sa.bindparam("of_cell"))
_DEBITS = sa.select(t.c.cell, t.c.shape, sa.func.count()).group_by(t.c.cell, t.c.shape)
FIRST_RESEND = 5.0               # seconds; doubles up to RESEND
RESEND = 60.0


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A boot handed to a cell."""

    server: str
    epoch: int
    cell: str
    shape: str
    op: str
    origin: commands.Origin
    request: boot.BootRequest
    secrets: boot.Sealed
    tried: tuple[str, ...] = ()
    created_at: float
    tries: int = 0

    def message(self, record: model.Server) -> commands.Boot:
        """The command that says it."""
        return commands.Boot(op=self.op, server=self.server, epoch=self.epoch,
                             origin=self.origin, record=record, request=self.request,
                             secrets=self.secrets)


class Offers:
    """The open offers."""

    def insert(self, tx: sa.Connection, offer: Offer, now: float) -> None:
        """A new offer; it will be sent again unless it is answered."""
        tx.execute(_INSERT, dict(
            server=offer.server, epoch=offer.epoch, cell=offer.cell, shape=offer.shape,
            op=offer.op, origin=codec.pack(offer.origin), request=codec.pack(offer.request),
            secrets=codec.pack(offer.secrets), tried=json.dumps(offer.tried),
            created_at=offer.created_at, next_at=now + FIRST_RESEND, tries=0))

    def get(self, tx: sa.Connection, server: str) -> Offer | None:
        """The offer of this server, if one is open."""
        row = tx.execute(_GET, {"of_server": server}).first()
        return self._offer(row) if row is not None else None

    def confirm(self, tx: sa.Connection, server: str, epoch: int, cell: str) -> bool:
        """Close the offer for this cell at this epoch.  True for the one that wins."""
        return engine.swapped(tx.execute(_CONFIRM, {
            "of_server": server, "of_epoch": epoch, "of_cell": cell}))

    def move(self, tx: sa.Connection, offer: Offer, cell: str, tried: tuple[str, ...],
             now: float) -> Offer | None:
        """Offer it to another cell (or the same, with a changed record) at the next epoch; None
        if somebody was faster."""
        moved = msgspec.structs.replace(offer, epoch=offer.epoch + 1, cell=cell, tried=tried,
                                        tries=0)
        result = tx.execute(sa.update(t).where(
            t.c.server == offer.server, t.c.epoch == offer.epoch).values(
                epoch=moved.epoch, cell=cell, tried=json.dumps(tried),
                next_at=now + FIRST_RESEND, tries=0))
        return moved if engine.swapped(result) else None

    def close(self, tx: sa.Connection, server: str, epoch: int) -> bool:
        """Withdraw it (deleted, or nowhere left to go).  True for the one that wins."""
        return engine.swapped(tx.execute(sa.delete(t).where(
            t.c.server == server, t.c.epoch == epoch)))

    def due(self, tx: sa.Connection, now: float, limit: int = 200) -> list[Offer]:
        """Those to send again, oldest first."""
        query = sa.select(t).where(t.c.next_at <= now).order_by(t.c.next_at, t.c.server)
        return [self._offer(row) for row in tx.execute(query.limit(limit))]

    def sent(self, tx: sa.Connection, offer: Offer, now: float) -> None:
        """It was sent once more: wait longer before the next time."""
        wait = min(RESEND, FIRST_RESEND * 2 ** (offer.tries + 1))
        tx.execute(sa.update(t).where(t.c.server == offer.server, t.c.epoch == offer.epoch)
                   .values(next_at=now + wait, tries=offer.tries + 1))

    def debits(self, tx: sa.Connection) -> dict[tuple[str, str], int]:
        """Open offers by (cell, shape): slots that are as good as taken."""
        return {(row[0], row[1]): row[2] for row in tx.execute(_DEBITS)}

    def count(self, tx: sa.Connection, cell: str) -> int:
        """How many are open to a cell."""
        return tx.execute(sa.select(sa.func.count()).select_from(t).where(
            t.c.cell == cell)).scalar_one()

    def _offer(self, row: sa.Row) -> Offer:
        return Offer(
            server=row.server, epoch=row.epoch, cell=row.cell, shape=row.shape, op=row.op,
            origin=_origin(row.origin), request=_request(row.request),
            secrets=_secrets(row.secrets),
            tried=tuple(json.loads(row.tried)), created_at=row.created_at, tries=row.tries)
