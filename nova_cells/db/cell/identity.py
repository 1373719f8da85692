"""Who a cell is: its uuid, its database's incarnation, its parent, the flavors it counts."""

import typing
import uuid as uuids

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import outbox as marking
from nova_cells.db.cell import tables
from nova_cells.domain import aggregates as grouping
from nova_cells.domain import server as model

t = tables.identity
_aggregates = msgspec.msgpack.Decoder(tuple[grouping.Aggregate, ...])
_flavors = msgspec.msgpack.Decoder(tuple[model.Flavor, ...])


def fresh_uuid() -> str:
    """A random uuid (the simulation hands in its own source)."""
    return str(uuids.uuid4())


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    uuid: str
    name: str
    incarnation: str
    halted: str | None = None
    parent: str | None = None
    lift: int = 0
    slots: int = 0
    catalogue: int = 0
    aggregates: int | None = None


_ROW = sa.select(*(t.c[name] for name in Identity.__struct_fields__))
_BUMP = sa.update(t).values(slots=t.c.slots + sa.bindparam("by"))
_SLOTS = sa.select(t.c.uuid, t.c.slots)
_FLAVORS = sa.select(t.c.flavors)
_AGGREGATES = sa.select(t.c.host_aggregates)


class Facts:
    """The one row about the cell itself."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    def ensure(self, tx: sa.Connection, name: str,
               uuid: typing.Callable[[], str]) -> Identity:
        """The row, made if missing; by whoever is first."""
        if tx.execute(sa.select(t.c.id)).first() is None:
            tx.execute(sa.insert(t).values(
                id=1, uuid=uuid(), name=name, incarnation=uuid(), lift=0, slots=0, catalogue=0))
        return self.get(tx)

    def known(self, tx: sa.Connection) -> Identity | None:
        """The row, if it is there."""
        row = tx.execute(_ROW).first()
        return Identity(**row._mapping) if row is not None else None

    def get(self, tx: sa.Connection) -> Identity:
        """The row."""
        return Identity(**tx.execute(_ROW).one()._mapping)

    def set(self, tx: sa.Connection, **fields: typing.Any) -> None:
        """Change it."""
        tx.execute(sa.update(t).values(**fields))

    def adopt(self, tx: sa.Connection, parent: str) -> Identity:
        """Take a parent, unless there is another (law T27)."""
        tx.execute(sa.update(t).where(t.c.parent.is_(None)).values(parent=parent))
        return self.get(tx)

    def detach(self, tx: sa.Connection, parent: str) -> Identity:
        """Leave this parent, and no other."""
        tx.execute(sa.update(t).where(t.c.parent == parent).values(parent=None))
        return self.get(tx)

    def halt(self, tx: sa.Connection, why: str, incarnation: str) -> bool:
        """Nothing goes up any more, and this is another database.  True for who says it first."""
        return engine.swapped(tx.execute(sa.update(t).where(t.c.halted.is_(None)).values(
            halted=why, incarnation=incarnation)))

    def bump_slots(self, tx: sa.Connection, now: float, by: int = 1) -> None:
        """The slots record is newer for a reason that no host's version shows, and must go up.
        Not for claims: this row would serialise them (decision 0016)."""
        tx.execute(_BUMP, {"by": by})
        row = tx.execute(_SLOTS).one()
        self._outbox.mark(tx, "slots", row.uuid, 0, row.slots, now)

    def learn(self, tx: sa.Connection, version: int, flavors: tuple[model.Flavor, ...],
              now: float) -> None:
        """Another flavor catalogue: count its shapes from now on."""
        tx.execute(sa.update(t).values(catalogue=version,
                                       flavors=msgspec.msgpack.encode(flavors)))
        self.bump_slots(tx, now)

    def flavors(self, tx: sa.Connection) -> tuple[model.Flavor, ...]:
        """The flavors whose joint slots are counted."""
        data = tx.execute(_FLAVORS).scalar()
        return _flavors.decode(data) if data else ()

    def regroup(self, tx: sa.Connection, version: int,
                aggregates: tuple[grouping.Aggregate, ...], now: float) -> None:
        """Other host aggregates."""
        tx.execute(sa.update(t).values(aggregates=version,
                                       host_aggregates=msgspec.msgpack.encode(aggregates)))
        self.bump_slots(tx, now)

    def aggregates(self, tx: sa.Connection) -> tuple[grouping.Aggregate, ...]:
        """The host aggregates, as far as they have hosts here."""
        data = tx.execute(_AGGREGATES).scalar()
        return _aggregates.decode(data) if data else ()
