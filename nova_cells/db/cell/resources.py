"""Providers, inventories, allocations: what a host has, and who holds how much of it.

An allocation is written in the transaction that places the server, guarded by the provider's
generation, and removed in the one that releases it: leaking is impossible, not healed (T8).
"""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import groups as grouping
from nova_cells.db.cell import tables
from nova_cells.domain import errors, migration
from nova_cells.domain import resources as model

p, i, a = tables.providers, tables.inventories, tables.allocations

_PROVIDER = sa.select(p).where(p.c.uuid == sa.bindparam("of_uuid"))
_ITEMS = sa.select(i).where(i.c.provider == sa.bindparam("of_uuid"))
_USED = sa.select(a.c.resource_class, sa.func.sum(a.c.used)).where(
    a.c.provider == sa.bindparam("of_uuid")).group_by(a.c.resource_class)
_GENERATIONS = sa.select(p.c.uuid, p.c.generation)
_SWAP = sa.update(p).where(p.c.uuid == sa.bindparam("of_uuid"),
                           p.c.generation == sa.bindparam("of_generation")).values(
                               generation=p.c.generation + 1)
_TOUCH = sa.update(p).where(p.c.uuid == sa.bindparam("of_uuid")).values(
    generation=p.c.generation + 1)
_MOVE = sa.update(p).where(p.c.uuid == sa.bindparam("of_uuid")).values(
    generation=p.c.generation + 1)
_ALLOCATE = sa.insert(a)


class Usage:
    """What one provider has and what of it is taken, at a generation."""

    __slots__ = ("provider", "used")

    def __init__(self, provider: model.Provider, used: dict[str, int]) -> None:
        self.provider = provider
        self.used = used

    def capacity(self) -> dict[str, int]:
        """How much may be allocated in all, by class."""
        return {name: item.capacity for name, item in self.provider.inventory.items()}

    def free(self) -> dict[str, int]:
        """How much is left, by class."""
        return {name: item.capacity - self.used.get(name, 0)
                for name, item in self.provider.inventory.items()}


class Resources:
    """The resources of the cell.  Who gives back what it holds leaves its place in its server group
    with it."""

    def __init__(self, groups: grouping.Groups | None = None) -> None:
        self._groups = groups or grouping.Groups()

    def put(self, tx: sa.Connection, provider: model.Provider) -> bool:
        """A provider with its inventory.  True if anything changed; then its generation moved."""
        known = self.provider(tx, provider.uuid)
        if known is not None and (known.name, known.host, known.traits, known.inventory) == (
                provider.name, provider.host, provider.traits, provider.inventory):
            return False
        values = {"name": provider.name, "host": provider.host, "parent": provider.parent,
                  "traits": " ".join(provider.traits)}
        if known is None:
            tx.execute(sa.insert(p).values(uuid=provider.uuid, generation=1, **values))
        else:
            tx.execute(sa.update(p).where(p.c.uuid == provider.uuid).values(
                generation=p.c.generation + 1, **values))
        tx.execute(sa.delete(i).where(i.c.provider == provider.uuid))
        rows = [{"provider": provider.uuid, "resource_class": name, "total": item.total,
                 "reserved": item.reserved, "min_unit": item.min_unit, "max_unit": item.max_unit,
                 "step_size": item.step_size, "allocation_ratio": item.allocation_ratio}
                for name, item in provider.inventory.items()]
        if rows:
            tx.execute(sa.insert(i), rows)
        return True

    def touch(self, tx: sa.Connection, uuid: str) -> None:
        """Something about the provider changed: what was chosen by its last generation is stale."""
        tx.execute(_TOUCH, {"of_uuid": uuid})

    def remove(self, tx: sa.Connection, uuid: str, generation: int) -> None:
        """Its host is forgotten.  Raises ``Stale`` if somebody claimed of it since it was read; may
        assume that nobody held anything of it then."""
        if not engine.swapped(tx.execute(sa.delete(p).where(
                p.c.uuid == uuid, p.c.generation == generation))):
            raise errors.Stale(f"the provider {uuid} changed meanwhile")
        tx.execute(sa.delete(i).where(i.c.provider == uuid))

    def provider(self, tx: sa.Connection, uuid: str) -> model.Provider | None:
        """One provider with its inventory."""
        row = tx.execute(_PROVIDER, {"of_uuid": uuid}).first()
        return self._provider(tx, row) if row is not None else None

    def generations(self, tx: sa.Connection) -> dict[str, int]:
        """Every provider's generation: cheap to read, tells what else must be read again."""
        return {row.uuid: row.generation for row in tx.execute(_GENERATIONS)}

    def usage(self, tx: sa.Connection, uuid: str) -> Usage | None:
        """What one provider has and what is taken."""
        provider = self.provider(tx, uuid)
        if provider is None:
            return None
        used = tx.execute(_USED, {"of_uuid": uuid})
        return Usage(provider, {row[0]: int(row[1]) for row in used})

    def claim(self, tx: sa.Connection, server: str, role: str, provider: str, generation: int,
              amounts: dict[str, int]) -> bool:
        """Take the amounts, if nobody changed the provider since it was read."""
        if not engine.swapped(tx.execute(_SWAP, {"of_uuid": provider,
                                                 "of_generation": generation})):
            return False
        tx.execute(_ALLOCATE, [
            {"server": server, "role": role, "provider": provider, "resource_class": name,
             "used": amount} for name, amount in amounts.items()])
        return True

    def release(self, tx: sa.Connection, server: str, role: str | None = None) -> bool:
        """Give back what a server holds.  True if it held anything."""
        self._groups.leave(tx, server, role)
        return self._release(tx, server, role)

    def _release(self, tx: sa.Connection, server: str, role: str | None) -> bool:
        mine = a.c.server == server
        if role is not None:
            mine &= a.c.role == role
        # Named one by one and in one order: an update by a subquery visits, and locks, every
        # provider of the cell on MariaDB.
        held = tx.execute(sa.select(a.c.provider).where(mine).distinct()).scalars()
        for provider in sorted(held):
            tx.execute(_MOVE, {"of_uuid": provider})
        return bool(tx.execute(sa.delete(a).where(mine)).rowcount)

    def land(self, tx: sa.Connection, server: str) -> None:
        """A move is over: what the server holds where it went is what it holds, no more."""
        self._groups.land(tx, server)            # before what it leaves is released
        self._release(tx, server, migration.HERE)
        tx.execute(sa.update(a).where(a.c.server == server, a.c.role == migration.MOVE).values(
            role=migration.HERE))

    def holders(self, tx: sa.Connection) -> dict[str, set[str]]:
        """server -> names of the hosts that it holds something of (for checks)."""
        query = sa.select(a.c.server, p.c.host).join(p, p.c.uuid == a.c.provider).distinct()
        found: dict[str, set[str]] = {}
        for row in tx.execute(query):
            found.setdefault(row.server, set()).add(row.host)
        return found

    def held(self, tx: sa.Connection) -> dict[str, dict[tuple[str, str], dict[str, int]]]:
        """server -> (role, host) -> class -> amount, of all (for checks)."""
        found: dict[str, dict[tuple[str, str], dict[str, int]]] = {}
        query = sa.select(a.c.server, a.c.role, p.c.host, a.c.resource_class, a.c.used).join(
            p, p.c.uuid == a.c.provider)
        for server, role, host, name, used in tx.execute(query):
            found.setdefault(server, {}).setdefault((role, host), {})[name] = used
        return found

    def _provider(self, tx: sa.Connection, row: sa.Row) -> model.Provider:
        items = tx.execute(_ITEMS, {"of_uuid": row.uuid})
        inventory = {item.resource_class: model.Inventory(
            total=item.total, reserved=item.reserved, min_unit=item.min_unit,
            max_unit=item.max_unit, step_size=item.step_size,
            allocation_ratio=item.allocation_ratio) for item in items}
        return model.Provider(uuid=row.uuid, name=row.name, host=row.host, parent=row.parent,
                              generation=row.generation, inventory=inventory,
                              traits=tuple(row.traits.split()))
