"""Choose places for a server: filter, weigh, sort.  Pure: propose here, claim elsewhere."""

import collections.abc

import msgspec

from nova_cells.domain import errors, groups
from nova_cells.scheduler import pack


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a server needs of a place."""

    amounts: dict[str, int]
    shape: str = ""
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    zone: str | None = None
    forced: str | None = None                # only this host name
    avoid: frozenset[str] = frozenset()      # places by key
    only: frozenset[str] = frozenset()       # places by key; empty: any
    tried: frozenset[str] = frozenset()
    capability: str = "boot"
    group: groups.Group | None = None        # for who claims; no filter looks at it


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A host or a cell, as far as choosing needs to know it."""

    key: str                                 # host name, or cell uuid
    up: bool = True
    enabled: bool = True
    zones: frozenset[str] = frozenset({"nova"})
    traits: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None      # names, for a cell; None: not known
    free: dict[str, int] = {}
    capacity: dict[str, int] = {}
    largest: dict[str, int] = {}             # max_unit per class
    slots: int | None = None                 # of the asked shape, for a cell; None: not counted
    fullness: float = 0.0
    generations: tuple[tuple[str, int], ...] = ()    # (provider, generation) it was read at


Filter = collections.abc.Callable[[Place, Request], bool]
Weigher = collections.abc.Callable[[Place, Request], float]


def compute_filter(place: Place, request: Request) -> bool:
    """Up and enabled (ComputeFilter)."""
    return place.up and place.enabled


def availability_zone_filter(place: Place, request: Request) -> bool:
    """In the zone that was asked for (AvailabilityZoneFilter)."""
    return request.zone is None or request.zone in place.zones


def retry_filter(place: Place, request: Request) -> bool:
    """Not tried before."""
    return place.key not in request.tried


def host_filter(place: Place, request: Request) -> bool:
    """DifferentHostFilter, SameHostFilter and an admin's forced host, in one."""
    if request.forced is not None:
        names = {place.key} if place.hosts is None else place.hosts
        if request.forced not in names:
            return False
    return place.key not in request.avoid and (not request.only or place.key in request.only)


def trait_filter(place: Place, request: Request) -> bool:
    """Has every required trait and no forbidden one."""
    return request.required <= place.traits and not request.forbidden & place.traits


def resource_filter(place: Place, request: Request) -> bool:
    """All amounts fit together now."""
    if any(amount > place.largest.get(name, amount) for name, amount in request.amounts.items()):
        return False
    return pack.joint_slots(request.amounts, place.free) > 0


def slots_filter(place: Place, request: Request) -> bool:
    """The cell counts at least one slot of the shape, or has not counted it yet."""
    return place.slots is None or place.slots > 0


HOST_FILTERS: tuple[tuple[str, Filter], ...] = (
    ("ComputeFilter", compute_filter), ("AvailabilityZoneFilter", availability_zone_filter),
    ("RetryFilter", retry_filter), ("HostFilter", host_filter), ("TraitFilter", trait_filter),
    ("ResourceFilter", resource_filter))
#: The same by what they look at: facts that many hosts share, a host's name, what is free.
BY_FACTS: tuple[Filter, ...] = (compute_filter, availability_zone_filter, trait_filter)
BY_NAME: tuple[Filter, ...] = (retry_filter, host_filter)
BY_ROOM: tuple[Filter, ...] = (resource_filter,)
CELL_FILTERS: tuple[tuple[str, Filter], ...] = (
    ("CellUpFilter", compute_filter), ("AvailabilityZoneFilter", availability_zone_filter),
    ("RetryFilter", retry_filter), ("HostFilter", host_filter), ("SlotsFilter", slots_filter))


def spread(place: Place, request: Request) -> float:
    """Emptier is better: the scarcest class after placing (RAM, CPU and disk weighers in one)."""
    if not place.capacity:
        return -place.fullness
    free = {name: place.free.get(name, 0) - request.amounts.get(name, 0)
            for name in place.capacity}
    return -pack.fullness(free, place.capacity)


def more_slots(place: Place, request: Request) -> float:
    """More slots left of the asked shape is better; a cell that has not counted comes last."""
    return float(place.slots) if place.slots is not None else 0.0


def choose(request: Request, places: collections.abc.Sequence[Place],
           filters: collections.abc.Sequence[tuple[str, Filter]],
           weigher: Weigher, count: int = 3) -> list[Place]:
    """The best ``count`` places, best first.  Raises ``NoPlace`` with the reason in words."""
    left: list[Place] = list(places)
    for name, keep in filters:
        kept = [place for place in left if keep(place, request)]
        if not kept:
            raise no_place(name, len(places), len(left))
        left = kept
    left.sort(key=lambda place: (-weigher(place, request), place.key))
    return left[:count]


_WHY: dict[str, str] = {
    "ComputeFilter": "no host is up and enabled",
    "CellUpFilter": "no cell is up and enabled",
    "AvailabilityZoneFilter": "none is in the availability zone",
    "RetryFilter": "all have been tried",
    "HostFilter": "none is among the hosts that the request allows",
    "TraitFilter": "none has the required traits",
    "ResourceFilter": "none has enough free vCPU, memory and disk together",
    "SlotsFilter": "none has enough free vCPU, memory and disk together",
}


def no_place(name: str, total: int, left: int) -> errors.NoPlace:
    """Why nothing was left, in a sentence that a tenant can read."""
    why = _WHY.get(name, name) if total else "there is none"
    return errors.NoPlace(f"No valid host was found. There are not enough hosts available: {why}.",
                          filter=name, total=total, left=left)
