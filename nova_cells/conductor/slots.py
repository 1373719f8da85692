# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Joint slots: how many more servers of each shape of the catalogue the cell could take.

Counted in memory as hosts change (``scheduler.fleet``), so telling them costs what the catalogue
is long and not what the cell is large.  The record's version is the sum of the versions and
generations of all hosts: it rises with every change, and nobody has to write it down (decision
0016).  So the record goes up with the next upload after a change, and again until it is
acknowledged or a newer one is.
"""

import threading

from nova_cells.domain import records, resources
from nova_cells.domain import server as model
from nova_cells.scheduler import choose


class Slots:
    """Makes the slots record, and knows whether it must go up."""

    def __init__(self, store, places, retry: float) -> None:  # noqa: ANN001
        self._store = store
        self._places = places
        self._retry = retry
        self._lock = threading.Lock()
        self._catalogue: int | None = None       # version of the flavors that are counted
        self._held = self._sent = -1             # versions: at the top, and on their way
        self._sent_at = 0.0

    def news(self, tx, facts, now: float,  # noqa: ANN001
             asked: bool = False) -> records.SlotsRecord | None:
        """The record, if the top does not have it.  In a transaction that only reads."""
        if self._places.due(now):
            self._places.refresh(tx, now)
        version = self.version(facts)
        with self._lock:
            under_way = version == self._sent and 0 <= now - self._sent_at < self._retry
            if not asked and (version <= self._held or under_way):
                return None
            self._sent, self._sent_at = version, now
        return self.record(tx, facts)

    def version(self, facts) -> int:  # noqa: ANN001
        """Of what is known now."""
        return facts.lift * records.LIFT + facts.slots + self._places.total

    def arrived(self, version: int) -> None:
        """The top has this version, whoever sent it."""
        with self._lock:
            self._held = max(self._held, version)

    def record(self, tx, facts,  # noqa: ANN001
               extra: model.Flavor | None = None) -> records.SlotsRecord:
        """As of what is known; with the shape of one more flavor if asked."""
        flavors = None if self._catalogue == facts.catalogue else self._store.facts.flavors(tx)
        places = self._places
        with places.lock:
            if flavors is not None:
                places.fleet.shapes({resources.shape(one): shape_of(one) for one in flavors})
                self._catalogue = facts.catalogue
            zones = places.fleet.slots()
            if extra is not None and not any(resources.shape(extra) in by_shape
                                             for by_shape in zones.values()):
                for zone, count in places.fleet.slots_of(shape_of(extra)).items():
                    zones.setdefault(zone, {})[resources.shape(extra)] = count
            total: dict[str, int] = {}
            for by_shape in zones.values():
                for shape, count in by_shape.items():
                    total[shape] = total.get(shape, 0) + count
            return records.SlotsRecord(
                cell=facts.uuid, slots=total, zones=zones, catalogue=facts.catalogue,
                aggregates=facts.aggregates or 0,
                version=self.version(facts), hosts=places.fleet.usable,
                fullness=places.fleet.fullness())


def shape_of(flavor: model.Flavor) -> choose.Request:
    """What a server of this flavor needs, and no more than that."""
    return choose.Request(
        amounts=resources.amounts(flavor), shape=resources.shape(flavor),
        required=resources.required_traits(flavor),
        forbidden=resources.forbidden_traits(flavor))
