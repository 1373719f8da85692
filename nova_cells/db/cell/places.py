# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The cell's hosts in memory, kept fresh by versions: one look reads a pair of numbers per host,
and the rest only of hosts whose numbers moved.

What is known of a host is always of one moment: its room was read at its generation.  It may be
old; so whoever claims compares generation and version in the transaction that claims.  Never read
inside a transaction that has changed a provider: what is rolled back must not be remembered.

A look is not taken for every decision but as often as the number of hosts allows; always before
anything is refused.  A connection is taken before the lock, never inside it.
"""

import collections.abc
import threading
import typing

import sqlalchemy as sa

from nova_cells.db.cell import tables
from nova_cells.domain import codec, records, resources, selection
from nova_cells.scheduler import choose, fleet

h, p, i, a = tables.hosts, tables.providers, tables.inventories, tables.allocations
CHUNK = 500                      # hosts read by one statement
PACE = 5000                      # hosts that may be looked at in a second
SOONEST, LATEST = 0.02, 5.0      # seconds between two looks

_STAMPS = sa.select(h.c.uuid, h.c.version, p.c.generation).join(p, p.c.uuid == h.c.uuid)
_SOME = sa.bindparam("uuids", expanding=True)
_STAMPS_OF = _STAMPS.where(h.c.uuid.in_(_SOME))
_HOSTS = sa.select(h.c.uuid, h.c.record).where(h.c.uuid.in_(_SOME))
_TRAITS = sa.select(p.c.uuid, p.c.traits).where(p.c.uuid.in_(_SOME))
_ITEMS = sa.select(i).where(i.c.provider.in_(_SOME)).order_by(i.c.provider, i.c.resource_class)
_USED = sa.select(a.c.provider, a.c.resource_class, sa.func.sum(a.c.used).label("used")).where(
    a.c.provider.in_(_SOME)).group_by(a.c.provider, a.c.resource_class)
_VERSION = sa.select(h.c.version).where(h.c.uuid == sa.bindparam("of_uuid"))
_host = codec.Unpacker(records.HostRecord)

Stamp = tuple[int, int]          # version of the host's record, generation of its provider


class Known(typing.NamedTuple):
    """A host as it was last read."""

    stamp: Stamp
    record: records.HostRecord


class Places:
    """Thread-safe.  ``rank`` breaks ties between hosts that are equally good."""

    def __init__(self, store: typing.Any, rank: fleet.Rank = str) -> None:
        self.fleet = fleet.Fleet(rank)
        self.lock = threading.RLock()    # over what is in memory; never over a statement
        self._looking = threading.Lock()         # one look at a time, so that none goes back
        self._store = store
        self._known: dict[str, Known] = {}       # by uuid
        self._uuids: dict[str, str] = {}         # by name
        self._doubted: set[str] = set()
        self._looked_at: float | None = None
        self.total = 0                           # of all stamps: rises with every change
        self.looks = self.read_again = 0         # how often, and how many hosts were read

    # -- looking ---------------------------------------------------------------------------------

    def look(self, now: float, force: bool = False) -> None:
        """Read what changed, if it is time to, or if ``force``; else only what is in doubt."""
        with self.lock:
            due = force or self.due(now)
            if due:
                self._looked_at = now            # the others need not look as well
            elif not self._doubted:
                return
        try:
            with self._store.read() as tx:
                self.refresh(tx, now, whole=due)
        except BaseException:
            with self.lock:
                self._looked_at = None
            raise

    def due(self, now: float) -> bool:
        """Whether the last look was too long ago; also if a clock was set back."""
        pause = min(LATEST, max(SOONEST, len(self.fleet) / PACE))
        return self._looked_at is None or not 0 <= now - self._looked_at < pause

    def refresh(self, tx: sa.Connection, now: float, whole: bool = True) -> None:
        """Look inside a transaction that has changed no provider."""
        with self._looking:
            with self.lock:
                doubted, self._doubted = self._doubted, set()
                known = {uuid: one.stamp for uuid, one in self._known.items()
                         if whole or uuid in doubted}
            asked = {} if whole else {"uuids": sorted(doubted)}
            stamps = {uuid: (version, generation) for uuid, version, generation
                      in tx.execute(_STAMPS if whole else _STAMPS_OF, asked)}
            changed = [uuid for uuid, stamp in stamps.items() if known.get(uuid) != stamp]
            for start in range(0, len(changed), CHUNK):
                self._read(tx, {uuid: stamps[uuid] for uuid in changed[start:start + CHUNK]})
            with self.lock:
                for uuid in known.keys() - stamps.keys():
                    self._forget(uuid)
                self.read_again += len(changed)
                if whole:
                    self._looked_at = now
                    self.looks += 1

    def _read(self, tx: sa.Connection, stamps: dict[str, Stamp]) -> None:
        """Whole hosts.  Their stamps were read before, so what is read is never older."""
        some = {"uuids": list(stamps)}
        traits = {row.uuid: row.traits for row in tx.execute(_TRAITS, some)}
        items: dict[str, dict[str, resources.Inventory]] = {uuid: {} for uuid in stamps}
        for row in tx.execute(_ITEMS, some):
            items[row.provider][row.resource_class] = resources.Inventory(
                total=row.total, reserved=row.reserved, min_unit=row.min_unit,
                max_unit=row.max_unit, step_size=row.step_size,
                allocation_ratio=row.allocation_ratio)
        used: dict[str, dict[str, int]] = {uuid: {} for uuid in stamps}
        for row in tx.execute(_USED, some):
            used[row.provider][row.resource_class] = int(row.used)
        hosts = [_host(row.record) for row in tx.execute(_HOSTS, some) if row.uuid in traits]
        with self.lock:
            for host in hosts:
                self._keep(host, stamps[host.uuid], traits[host.uuid].split(),
                           items[host.uuid], used[host.uuid])

    def _keep(self, host: records.HostRecord, stamp: Stamp, traits: list[str],
              items: dict[str, resources.Inventory], used: dict[str, int]) -> None:
        old = self._known.get(host.uuid)
        if old is not None and old.record.name != host.name:
            self._forget(host.uuid)
        namesake = self._uuids.get(host.name)
        if namesake is not None and namesake != host.uuid:
            self._forget(namesake)
        self.total += sum(stamp) - sum(self._known[host.uuid].stamp
                                       if host.uuid in self._known else (0,))
        self._known[host.uuid] = Known(stamp, host)
        self._uuids[host.name] = host.uuid
        capacity = {name: item.capacity for name, item in items.items()}
        self.fleet.put(choose.Place(
            key=host.name, up=host.up and not host.forced_down, enabled=not host.disabled,
            zones=frozenset({host.availability_zone}), traits=frozenset(traits),
            capabilities=frozenset(host.capabilities), capacity=capacity,
            free={name: total - used.get(name, 0) for name, total in capacity.items()},
            largest={name: item.max_unit for name, item in items.items()},
            generations=((host.uuid, stamp[1]),)))

    def _forget(self, uuid: str) -> None:
        known = self._known.pop(uuid, None)
        if known is not None:
            self.total -= sum(known.stamp)
        if known is not None and self._uuids.get(known.record.name) == uuid:
            del self._uuids[known.record.name]
            self.fleet.drop(known.record.name)

    # -- proposing -------------------------------------------------------------------------------

    def propose(self, server: str, request: choose.Request, count: int,
                now: float) -> list[selection.Proposal]:
        """Best first, on what is known: no statement.  The best is in flight for its server until
        somebody settles it, or it was too long.  Raises ``NoPlace``."""
        with self.lock:
            self.fleet.expire(now)
            self.fleet.credit(server)
            found = self.fleet.best(request, count)
            self.fleet.debit(server, found[0].key, request.amounts, now)
            return [self.proposal(place.key) for place in found]

    def proposal(self, name: str) -> selection.Proposal:
        """A host that is known, as it is proposed."""
        uuid = self._uuids[name]
        version, generation = self._known[uuid].stamp
        return selection.Proposal(host=name, provider=uuid, version=version,
                                  generation=generation)

    # -- what came of a proposal -------------------------------------------------------------------

    def place(self, uuid: str) -> tuple[choose.Place, Stamp] | None:
        """A host as it is known now, which may be newer than when it was proposed."""
        with self.lock:
            known = self._known.get(uuid)
            found = self.fleet.get(known.record.name) if known is not None else None
            return None if known is None or found is None else (found, known.stamp)

    def host(self, tx: sa.Connection, uuid: str, version: int) -> records.HostRecord | None:
        """The host's record if it is still at this version; read only if it is not known."""
        if tx.execute(_VERSION, {"of_uuid": uuid}).scalar() != version:
            return None
        with self.lock:
            known = self._known.get(uuid)
        if known is not None and known.stamp[0] == known.record.version == version:
            return known.record
        row = tx.execute(_HOSTS, {"uuids": [uuid]}).first()
        record = _host(row.record) if row is not None else None
        return record if record is not None and record.version == version else None

    def doubt(self, uuids: collections.abc.Iterable[str]) -> None:
        """Somebody was faster there: look at these again before the next decision."""
        with self.lock:
            self._doubted.update(uuids)

    def doubt_host(self, name: str | None) -> None:
        """The same, of a host by its name."""
        with self.lock:
            if name in self._uuids:
                self._doubted.add(self._uuids[name])

    def take_doubts(self) -> tuple[str, ...]:
        """Those in doubt, for somebody else who shall look at them instead."""
        with self.lock:
            doubted, self._doubted = tuple(sorted(self._doubted)), set()
        return doubted

    def settle(self, server: str) -> None:
        """What was proposed for this server is claimed, or never will be."""
        with self.lock:
            self.fleet.credit(server)

    def claimed(self, uuid: str, generation: int, amounts: dict[str, int]) -> None:
        """This much was claimed at this generation, and committed: known without a look."""
        with self.lock:
            known = self._known.get(uuid)
            if known is None or known.stamp[1] != generation:
                return                           # it was read meanwhile
            place = self.fleet.get(known.record.name)
            free = {name: left - amounts.get(name, 0) for name, left in place.free.items()}
            self._known[uuid] = known._replace(stamp=(known.stamp[0], generation + 1))
            self.total += 1
            self.fleet.put(_at(place, uuid, generation + 1, free))


def _at(place: choose.Place, uuid: str, generation: int, free: dict[str, int]) -> choose.Place:
    """The same place with other room.  Said in full: ``replace`` costs more."""
    return choose.Place(
        key=place.key, up=place.up, enabled=place.enabled, zones=place.zones, traits=place.traits,
        capabilities=place.capabilities, hosts=place.hosts, free=free, capacity=place.capacity,
        largest=place.largest, slots=place.slots, fullness=place.fullness,
        generations=((uuid, generation),))
