"""The cells: who they are, how they are reached, when they were last heard, what stops them."""

import typing

import msgspec
import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import errors

t = tables.cells
_ALL = sa.select(t).order_by(t.c.name)
_GET = sa.select(t).where(t.c.uuid == sa.bindparam("of_uuid"))
_PARENT = sa.select(tables.deployment.c.uuid)


class CellRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cell.  ``transport_url`` may hold a password: never show it whole."""

    uuid: str
    name: str
    transport_url: str
    enabled: bool = True
    disabled_reason: str | None = None
    incarnation: str | None = None
    halted: str | None = None
    resyncing: bool = False
    up: bool = True
    catalogue: int = 0
    created_at: float
    updated_at: float
    heard_at: float = 0.0


class Cells:
    """The table of cells."""

    def all(self, tx: sa.Connection) -> list[CellRow]:
        """Every cell, by name."""
        return [_cell(row) for row in tx.execute(_ALL)]

    def get(self, tx: sa.Connection, uuid: str) -> CellRow | None:
        """The cell with this uuid."""
        row = tx.execute(_GET, {"of_uuid": uuid}).first()
        return _cell(row) if row is not None else None

    def find(self, tx: sa.Connection, name_or_uuid: str) -> CellRow:
        """The cell with this name or uuid.  ``NotFound`` says which are there."""
        row = tx.execute(sa.select(t).where(
            (t.c.name == name_or_uuid) | (t.c.uuid == name_or_uuid))).first()
        if row is None:
            names = ", ".join(cell.name for cell in self.all(tx)) or "none"
            raise errors.NotFound(f"there is no cell {name_or_uuid!r}; known cells: {names}")
        return _cell(row)

    def create(self, tx: sa.Connection, uuid: str, name: str, transport_url: str,
               now: float) -> CellRow:
        """A new cell.  ``Conflict`` when the name or the uuid is taken."""
        cell = CellRow(uuid=uuid, name=name, transport_url=transport_url, created_at=now,
                       updated_at=now)
        try:
            tx.execute(sa.insert(t).values(**msgspec.structs.asdict(cell)))
        except db_exc.DBDuplicateEntry:
            raise errors.Conflict(f"a cell named {name!r} (or with uuid {uuid}) exists already; "
                                  f"choose another name") from None
        return cell

    def update(self, tx: sa.Connection, uuid: str, now: float, **fields: typing.Any) -> None:
        """Change fields of a cell.  ``Conflict`` when the new name is taken."""
        try:
            result = tx.execute(sa.update(t).where(t.c.uuid == uuid).values(
                updated_at=now, **fields))
        except db_exc.DBDuplicateEntry:
            raise errors.Conflict(f"a cell named {fields.get('name')!r} exists already; "
                                  f"choose another name") from None
        if not engine.swapped(result):
            raise errors.NotFound(f"there is no cell {uuid}")

    def set_enabled(self, tx: sa.Connection, uuid: str, enabled: bool, reason: str | None,
                    now: float) -> None:
        """Whether new servers may go there; servers there are served either way."""
        self.update(tx, uuid, now, enabled=enabled, disabled_reason=None if enabled else reason)

    def delete(self, tx: sa.Connection, uuid: str) -> None:
        """Forget a cell.  ``Conflict`` while it has servers, offers or kept orders."""
        for table, condition, what in (
                (tables.servers, ~tables.servers.c.deleted, "servers"),
                (tables.offers, sa.true(), "boots under way"),
                (tables.intents, sa.true(), "deletes kept for it")):
            count = tx.execute(sa.select(sa.func.count()).select_from(table).where(
                table.c.cell == uuid, condition)).scalar_one()
            if count:
                raise errors.Conflict(f"the cell still has {count} {what}; delete or move them "
                                      f"first")
        for table in (tables.hosts, tables.slots):
            tx.execute(sa.delete(table).where(table.c.cell == uuid))
        tx.execute(sa.delete(t).where(t.c.uuid == uuid))

    def heard(self, tx: sa.Connection, uuid: str, now: float) -> None:
        """The cell spoke."""
        tx.execute(sa.update(t).where(t.c.uuid == uuid).values(heard_at=now, up=True))

    def silent(self, tx: sa.Connection, uuid: str, heard_at: float) -> bool:
        """The cell has not spoken since ``heard_at``, and for too long: down.  A compare-and-swap
        on what was read, so that a cell that spoke meanwhile stays up."""
        return engine.swapped(tx.execute(sa.update(t).where(
            t.c.uuid == uuid, t.c.heard_at == heard_at, t.c.up).values(up=False)))

    def parent(self, tx: sa.Connection, fresh: str) -> str:
        """Who this API cell is to its children; ``fresh`` is taken the first time."""
        known = tx.execute(_PARENT).scalar()
        if known is None:
            tx.execute(sa.insert(tables.deployment).values(id=1, uuid=fresh))
        return known or fresh


def _cell(row: sa.Row) -> CellRow:
    return CellRow(**row._mapping)
