"""Host aggregates: names, metadata, hosts; and the zones that they make.

Every change moves the counter "aggregates" in the same transaction, and does so first: cells follow
a known version, and two changers wait for each other there.  Hosts are named by uuid, for two cells
may have hosts of one name.

Assumes a connection inside a transaction in every method.
"""

import collections.abc

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_cells.db import upsert
from nova_cells.db.view import records, tables
from nova_cells.domain import aggregates as model
from nova_cells.domain import errors

COUNTER = "aggregates"
_a, _m, _h, _hosts = (tables.aggregates, tables.aggregate_metadata, tables.aggregate_hosts,
                      tables.hosts)
_LIVING = ~_hosts.c.name.startswith(records.FORGOTTEN)
_ROWS = sa.select(_a).order_by(_a.c.id)
_METADATA = sa.select(_m).order_by(_m.c.aggregate, _m.c.key)
_MEMBERS = sa.select(_h.c.aggregate, _h.c.host, _hosts.c.name, _hosts.c.cell).join(
    _hosts, _hosts.c.uuid == _h.c.host).where(_LIVING).order_by(_h.c.aggregate, _hosts.c.name)
_ZONES = sa.select(_h.c.host, _m.c.value).join(_m, _m.c.aggregate == _h.c.aggregate).where(
    _m.c.key == model.ZONE)


class Shown(model.Aggregate, kw_only=True):
    """An aggregate with what only the top knows of it."""

    created_at: float
    updated_at: float | None = None
    names: tuple[str, ...] = ()          # of its hosts
    cells: frozenset[str] = frozenset()  # of its hosts


class Aggregates:
    """The host aggregates.  Stateless."""

    # -- reading ----------------------------------------------------------------------------

    def version(self, tx: sa.Connection) -> int:
        """Moves with every change."""
        counter = tables.counters.c
        return tx.execute(sa.select(counter.value).where(
            counter.name == COUNTER)).scalar() or 0

    def all(self, tx: sa.Connection) -> list[Shown]:
        """All of them, oldest first."""
        metadata: dict[int, dict[str, str]] = {}
        for row in tx.execute(_METADATA):
            metadata.setdefault(row.aggregate, {})[row.key] = row.value
        members: dict[int, list[sa.Row]] = {}
        for row in tx.execute(_MEMBERS):
            members.setdefault(row.aggregate, []).append(row)
        return [Shown(
            id=row.id, uuid=row.uuid, name=row.name, metadata=metadata.get(row.id, {}),
            hosts=tuple(one.host for one in members.get(row.id, ())),
            names=tuple(one.name for one in members.get(row.id, ())),
            cells=frozenset(one.cell for one in members.get(row.id, ())),
            created_at=row.created_at, updated_at=row.updated_at) for row in tx.execute(_ROWS)]

    def get(self, tx: sa.Connection, number: int) -> Shown:
        """One, or ``NotFound``."""
        for found in self.all(tx):
            if found.id == number:
                return found
        raise errors.NotFound(f"Aggregate {number} could not be found.")

    def zones(self, tx: sa.Connection) -> dict[str, str]:
        """host uuid -> zone, of the hosts that an aggregate puts into one."""
        return {row.host: row.value for row in tx.execute(_ZONES)}

    def zones_by_cell(self, tx: sa.Connection) -> dict[str, set[str]]:
        """cell -> the zones that it has hosts in."""
        zoned, found = self.zones(tx), {}
        for row in tx.execute(sa.select(_hosts.c.uuid, _hosts.c.cell).where(_LIVING)):
            found.setdefault(row.cell, set()).add(zoned.get(row.uuid, model.DEFAULT_ZONE))
        return found

    def of_cell(self, tx: sa.Connection,
                cell: str) -> tuple[int, tuple[model.Aggregate, ...]]:
        """The version, and the aggregates as far as they have hosts of a cell."""
        mine = set(tx.execute(sa.select(_hosts.c.uuid).where(
            _LIVING, _hosts.c.cell == cell)).scalars())
        return self.version(tx), tuple(model.Aggregate(
            id=one.id, uuid=one.uuid, name=one.name, metadata=one.metadata,
            hosts=tuple(host for host in one.hosts if host in mine))
            for one in self.all(tx) if mine & set(one.hosts))

    # -- changing ---------------------------------------------------------------------------

    def create(self, tx: sa.Connection, uuid: str, name: str, now: float) -> int:
        """A new one; its number.  ``Conflict`` if the name is taken."""
        bump(tx)
        self._free(tx, name)
        try:
            return tx.execute(sa.insert(_a).values(
                uuid=uuid, name=name, created_at=now)).inserted_primary_key.id
        except db_exc.DBDuplicateEntry:
            raise _taken(name) from None

    def rename(self, tx: sa.Connection, number: int, name: str, now: float) -> None:
        """Another name."""
        bump(tx)
        self._free(tx, name, number)
        tx.execute(sa.update(_a).where(_a.c.id == number).values(name=name, updated_at=now))

    def delete(self, tx: sa.Connection, number: int) -> None:
        """Gone."""
        bump(tx)
        for table in (_m, _h):
            tx.execute(sa.delete(table).where(table.c.aggregate == number))
        tx.execute(sa.delete(_a).where(_a.c.id == number))

    def set_metadata(self, tx: sa.Connection, number: int,
                     items: collections.abc.Mapping[str, str | None], now: float) -> None:
        """Set some items and, where the value is None, remove them."""
        bump(tx)
        tx.execute(sa.delete(_m).where(_m.c.aggregate == number, _m.c.key.in_(list(items))))
        rows = [{"aggregate": number, "key": key, "value": value}
                for key, value in items.items() if value is not None]
        if rows:
            tx.execute(sa.insert(_m), rows)
        tx.execute(sa.update(_a).where(_a.c.id == number).values(updated_at=now))

    def add_host(self, tx: sa.Connection, number: int, host: str, now: float) -> None:
        """One more host, by uuid."""
        bump(tx)
        tx.execute(sa.insert(_h).values(aggregate=number, host=host))
        tx.execute(sa.update(_a).where(_a.c.id == number).values(updated_at=now))

    def remove_host(self, tx: sa.Connection, number: int, host: str, now: float) -> None:
        """One host less."""
        bump(tx)
        tx.execute(sa.delete(_h).where(_h.c.aggregate == number, _h.c.host == host))
        tx.execute(sa.update(_a).where(_a.c.id == number).values(updated_at=now))

    def forget_host(self, tx: sa.Connection, host: str) -> None:
        """A host that is gone for good leaves its aggregates."""
        if tx.execute(sa.select(_h.c.aggregate).where(_h.c.host == host)).first() is None:
            return
        bump(tx)
        tx.execute(sa.delete(_h).where(_h.c.host == host))

    def _free(self, tx: sa.Connection, name: str, number: int | None = None) -> None:
        row = tx.execute(sa.select(_a.c.id).where(_a.c.name == name)).first()
        if row is not None and row.id != number:
            raise _taken(name)


def bump(tx: sa.Connection) -> None:
    """Move the version.  The first statement of every change."""
    table = tables.counters
    upsert.put(tx, table, {"name": COUNTER, "value": 1}, {"value": table.c.value + 1})


def _taken(name: str) -> errors.Conflict:
    return errors.Conflict(f"Aggregate {name} already exists.")
