# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Joint slots: how many more servers of each shape of the catalogue the cell could take.

Counted in memory as hosts change (``scheduler.fleet``), so telling them costs what the catalogue
is long and not what the cell is large.
"""

from nova_cells.domain import records, resources
from nova_cells.domain import server as model
from nova_cells.scheduler import choose


class Slots:
    """Makes the slots record."""

    def __init__(self, store, places) -> None:  # noqa: ANN001
        self._store = store
        self._places = places
        self._catalogue: int | None = None       # version of the flavors that are counted

    def record(self, tx, extra: model.Flavor | None = None) -> records.SlotsRecord:  # noqa: ANN001
        """As of the last look; with the shape of one more flavor if asked."""
        facts = self._store.facts.get(tx)
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
                cell=facts.uuid, version=facts.lift * records.LIFT + facts.slots, slots=total,
                zones=zones, catalogue=facts.catalogue, hosts=places.fleet.usable,
                fullness=places.fleet.fullness())


def shape_of(flavor: model.Flavor) -> choose.Request:
    """What a server of this flavor needs, and no more than that."""
    return choose.Request(
        amounts=resources.amounts(flavor), shape=resources.shape(flavor),
        required=resources.required_traits(flavor),
        forbidden=resources.forbidden_traits(flavor))
