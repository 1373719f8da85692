# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Host aggregates as they travel, and what follows from them: the availability zone of a host."""

import collections.abc

from nova_cells.domain import server as model

ZONE = "availability_zone"       # the key of the metadata that makes an aggregate a zone
DEFAULT_ZONE = "nova"            # of a host that is in none


class Aggregate(model.Value, kw_only=True):
    """A host aggregate; a cell is told of its own hosts only."""

    id: int
    uuid: str
    name: str
    metadata: dict[str, str] = {}
    hosts: tuple[str, ...] = ()          # uuids

    @property
    def zone(self) -> str | None:
        """The zone that it makes."""
        return self.metadata.get(ZONE)


def zone_of(host: str, aggregates: collections.abc.Iterable[Aggregate]) -> str:
    """The zone of a host, by its uuid.  At most one aggregate of a host has a zone."""
    return next((one.zone for one in aggregates if one.zone and host in one.hosts), DEFAULT_ZONE)
