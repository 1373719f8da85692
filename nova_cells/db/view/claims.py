# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Claims: which server may use which volume, written down before anything is asked (law T14).

Cells know nothing of one another, so who has a volume is decided here, by a unique key: one
server, or one row for each server if the volume is multi-attach.  A claim is *settled* once the
server's record says what became of it; from then on it holds exactly as long as the record shows
the attachment, so nothing needs to be told when it ends.
"""

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import codec, errors
from nova_cells.domain import server as model

t = tables.volume_claims
_server = tables.servers.c
_unpack = codec.Unpacker(model.Server)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim.  ``volume``: None while it is being made under the claim's uuid as its key."""

    uuid: str
    errand: str                          # of the attachment
    server: str
    kind: str = "attach"                 # "boot", "attach" or "swap"
    volume: str | None = None
    slot: str = ""                       # multi-attach: the server's uuid
    made: bool = False
    settled: bool = False
    asked_at: float = 0.0


class Taken(errors.Invalid):
    """The volume is another server's, or this one's already.  ``servers``: whose."""

    def __init__(self, message: str, servers: tuple[str, ...]) -> None:
        super().__init__(message)
        self.servers = servers


class Claims:
    """The claims of all servers."""

    def take(self, tx: sa.Connection, claim: Claim) -> None:
        """Write one down; one that holds no longer makes way.  ``Taken`` if others hold it;
        ``DBDuplicateEntry`` if somebody was faster."""
        if claim.volume is not None:
            self._make_way(tx, claim)
        tx.execute(sa.insert(t).values(**msgspec.structs.asdict(claim)))

    def _make_way(self, tx: sa.Connection, claim: Claim) -> None:
        others = [self._claim(row) for row in tx.execute(
            sa.select(t).where(t.c.volume == claim.volume))]
        held = []
        for other in others:
            if self.holds(tx, other):
                held.append(other)
            else:
                self.drop(tx, other.uuid)
        shared = claim.slot and all(other.slot for other in held)
        if held and (not shared or any(other.server == claim.server for other in held)):
            servers = tuple(sorted({other.server for other in held}))
            if shared:
                raise Taken(f"Invalid volume: volume {claim.volume} already attached", servers)
            raise Taken(f"Invalid volume: volume {claim.volume} is already attached to instances: "
                        f"{' '.join(servers)}", servers)

    def holds(self, tx: sa.Connection, claim: Claim) -> bool:
        """Whether it is still true: not known yet, or shown by the server's record."""
        if not claim.settled:
            return True
        row = tx.execute(sa.select(_server.record, _server.deleted).where(
            _server.uuid == claim.server)).first()
        return row is not None and not row.deleted and any(
            (one.errand, one.volume_id) == (claim.errand, claim.volume)
            for one in _unpack(row.record).attachments)

    def found(self, tx: sa.Connection, uuid: str, volume: str, now: float) -> None:
        """The volume was made: its id.  ``CellDown`` if the claim is gone, for it took too long."""
        if not engine.swapped(tx.execute(sa.update(t).where(
                t.c.uuid == uuid, t.c.volume.is_(None)).values(volume=volume, asked_at=now))):
            raise _late(uuid)

    def renew(self, tx: sa.Connection, uuids: list[str], now: float) -> None:
        """Still wanted.  ``CellDown`` if one is gone."""
        for uuid in uuids:
            if not engine.swapped(tx.execute(
                    sa.update(t).where(t.c.uuid == uuid).values(asked_at=now))):
                raise _late(uuid)

    def settle(self, tx: sa.Connection, *uuids: str) -> None:
        """The server's record says what it is."""
        tx.execute(sa.update(t).where(t.c.uuid.in_(uuids)).values(settled=True))

    def drop(self, tx: sa.Connection, *uuids: str) -> None:
        """It holds no longer."""
        tx.execute(sa.delete(t).where(t.c.uuid.in_(uuids)))

    def of_volume(self, tx: sa.Connection, volume: str) -> list[Claim]:
        """Those that hold this volume now."""
        found = [self._claim(row) for row in tx.execute(
            sa.select(t).where(t.c.volume == volume).order_by(t.c.uuid))]
        return [claim for claim in found if self.holds(tx, claim)]

    def old(self, tx: sa.Connection, before: float, limit: int = 100) -> list[Claim]:
        """Those asked for before that, not settled ones first, oldest first."""
        return [self._claim(row) for row in tx.execute(
            sa.select(t).where(t.c.asked_at <= before).order_by(
                t.c.settled, t.c.asked_at, t.c.uuid).limit(limit))]

    def look_later(self, tx: sa.Connection, claim: Claim, now: float) -> None:
        """It is as it should be: look at others first."""
        tx.execute(sa.update(t).where(t.c.uuid == claim.uuid).values(asked_at=now))

    def count(self, tx: sa.Connection) -> int:
        """How many there are."""
        return tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()

    @staticmethod
    def _claim(row: sa.Row) -> Claim:
        return Claim(**{name: value for name, value in row._mapping.items()
                        if name not in ("made", "settled")},
                     made=bool(row.made), settled=bool(row.settled))


def _late(uuid: str) -> errors.CellDown:
    return errors.CellDown(f"The volume service took so long that the claim {uuid} was given up; "
                           f"try again later")
