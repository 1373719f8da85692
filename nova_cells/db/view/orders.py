"""Orders: an operator's long work on a cell, written down here and done by a collector."""

import json
import typing

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables

t = tables.orders


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order: "waiting", "running" (with progress in per cent), "done" or "failed"."""

    id: str
    kind: str
    cell: str
    body: dict
    state: str
    progress: int
    result: dict | None
    created_at: float
    updated_at: float


class Orders:
    """The table of orders."""

    def add(self, tx: sa.Connection, id: str, kind: str, cell: str, body: dict,
            now: float) -> None:
        """Write an order down."""
        tx.execute(sa.insert(t).values(id=id, kind=kind, cell=cell, body=json.dumps(body),
                                       state="waiting", progress=0, created_at=now,
                                       updated_at=now))

    def get(self, tx: sa.Connection, id: str) -> OrderRow | None:
        """How an order stands."""
        row = tx.execute(sa.select(t).where(t.c.id == id)).first()
        return _order(row) if row is not None else None

    def open(self, tx: sa.Connection) -> list[OrderRow]:
        """Those waiting or running, oldest first."""
        query = sa.select(t).where(t.c.state.in_(("waiting", "running"))).order_by(
            t.c.created_at, t.c.id)
        return [_order(row) for row in tx.execute(query)]

    def update(self, tx: sa.Connection, id: str, expected: str, now: float,
               **fields: typing.Any) -> bool:
        """Move an order on, by compare-and-swap on its state."""
        if "result" in fields:
            fields["result"] = json.dumps(fields["result"])
        if "body" in fields:
            fields["body"] = json.dumps(fields["body"])
        return engine.swapped(tx.execute(sa.update(t).where(
            t.c.id == id, t.c.state == expected).values(updated_at=now, **fields)))


def _order(row: sa.Row) -> OrderRow:
    fields = dict(row._mapping)
    fields["body"] = json.loads(fields["body"])
    fields["result"] = json.loads(fields["result"]) if fields["result"] else None
    return OrderRow(**fields)
