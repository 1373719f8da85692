"""A cell's hosts in memory, indexed, so that a decision looks at few of them.

Hosts whose facts and capacity are equal are one *make*; hosts of a make that also have the same
room left are one *level*.  Filters run once per make and once per level, and levels are walked
from the emptiest until none that follows can be better.  What is found is exactly what ``choose``
would find among all hosts, and ``tests`` hold them equal.

Proposals that are not yet claimed are *in flight*: debited here for a while, so that several boots
at once do not all get the same host.  Never claims; may be wrong about what is free now, for what
commits a proposal compares generations.
"""

import bisect
import collections.abc
import typing
import zlib

import msgspec

from nova_cells.scheduler import choose, pack

FLIGHT = 5.0                     # seconds that a proposal may take to be claimed
_NEAR = 1e-9                     # more than what floats lose in a few sums
_PPM = 1_000_000                 # fullness is summed in integers: no drift

Rank = collections.abc.Callable[[str], str]
Amounts = dict[str, int]
Room = tuple[tuple[str, int], ...]


class Level:
    """Hosts that are alike in everything but their names."""

    __slots__ = ("count", "fits", "load", "make", "place", "ppm", "ranks", "room")

    def __init__(self, make: "Make", place: choose.Place, room: Room) -> None:
        self.make, self.place, self.room = make, place, room
        self.load = max((1 - place.free.get(name, 0) / total
                         for name, total in place.capacity.items() if total > 0), default=0.0)
        self.ppm = round(pack.fullness(place.free, place.capacity) * _PPM)
        self.ranks: list[str] = []       # hosts that have this much left, less what is in flight
        self.count = 0                   # hosts that have this much left
        self.fits: dict[str, int] = {}   # shape -> servers of it, for each counted shape


class Make:
    """Hosts with the same facts and the same capacity."""

    __slots__ = ("key", "levels", "place", "walk")

    def __init__(self, key: tuple[typing.Any, ...], place: choose.Place) -> None:
        self.key, self.place = key, place
        self.levels: dict[Room, Level] = {}
        self.walk: list[tuple[float, Room]] = []     # emptiest first

    def least(self, amounts: Amounts) -> float | None:
        """By how much at least a server of these amounts fills one; None if it never fits."""
        capacity, largest = self.place.capacity, self.place.largest
        for name, amount in amounts.items():
            if amount > capacity.get(name, 0) or amount > largest.get(name, amount):
                return None
        return min((amounts.get(name, 0) / total for name, total in capacity.items()
                    if total > 0), default=0.0)


class Fleet:
    """The hosts.  ``rank`` breaks ties: by name, unless several choosers must not agree."""

    def __init__(self, rank: Rank = str) -> None:
        self._rank = rank
        self._places: dict[str, choose.Place] = {}       # as they were read
        self._shown: dict[str, Level] = {}               # where a host is found
        self._true: dict[str, Level] = {}                # where it is counted
        self._names: dict[str, str] = {}                 # rank -> key
        self._makes: dict[tuple[typing.Any, ...], Make] = {}
        self._flights: dict[str, tuple[str, Amounts, float]] = {}    # who -> where, what, until
        self._loaded: dict[str, dict[str, Amounts]] = {}             # where -> who -> what
        self._shapes: dict[str, choose.Request] = {}
        self._slots: dict[str, dict[str, int]] = {}
        self.usable = self._ppm = 0

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> choose.Place | None:
        """One host as it was read."""
        return self._places.get(key)

    def all(self) -> list[choose.Place]:
        """Every host as it was read."""
        return list(self._places.values())

    # -- what is known ---------------------------------------------------------------------------

    def put(self, place: choose.Place) -> None:
        """A host as it is now."""
        self._places[place.key] = place
        self._names[self._rank(place.key)] = place.key
        self._count(place.key, self._level(place))
        self._show(place.key)

    def drop(self, key: str) -> None:
        """The host is no more."""
        self._count(key, None)
        self._move(key, None)
        del self._places[key], self._names[self._rank(key)]

    def _level(self, place: choose.Place) -> Level:
        key = (place.up, place.enabled, place.zones, place.traits, place.capabilities,
               tuple(sorted(place.capacity.items())), tuple(sorted(place.largest.items())))
        make = self._makes.get(key)
        if make is None:
            make = self._makes[key] = Make(key, place)
        room = tuple(sorted(place.free.items()))
        level = make.levels.get(room)
        if level is None:
            level = make.levels[room] = Level(make, place, room)
            bisect.insort(make.walk, (level.load, room))
            level.fits = {shape: _fits(place, request)
                          for shape, request in self._shapes.items()}
        return level

    def _show(self, key: str) -> None:
        """Put a host where it is found: what is in flight there is not free."""
        place, loaded = self._places[key], self._loaded.get(key)
        if loaded:
            free = dict(place.free)
            for amounts in loaded.values():
                for name, amount in amounts.items():
                    free[name] = free.get(name, 0) - amount
            self._move(key, self._level(msgspec.structs.replace(place, free=free)))
        else:
            self._move(key, self._true[key])

    def _move(self, key: str, level: Level | None) -> None:
        before, rank = self._shown.get(key), self._rank(key)
        if before is level:
            return
        if before is not None:
            del before.ranks[bisect.bisect_left(before.ranks, rank)]
            self._discard(before)
        if level is None:
            self._shown.pop(key, None)
        else:
            bisect.insort(level.ranks, rank)
            self._shown[key] = level

    def _discard(self, level: Level) -> None:
        if level.count or level.ranks:
            return
        make = level.make
        del make.levels[level.room]
        del make.walk[bisect.bisect_left(make.walk, (level.load, level.room))]
        if not make.levels:
            self._makes.pop(make.key, None)

    # -- in flight -------------------------------------------------------------------------------

    def debit(self, who: str, key: str, amounts: Amounts, now: float) -> None:
        """This was proposed to ``who`` and may be claimed soon."""
        self.credit(who)
        self._flights[who] = (key, amounts, now + FLIGHT)
        self._loaded.setdefault(key, {})[who] = amounts
        if key in self._places:
            self._show(key)

    def credit(self, who: str) -> None:
        """It was claimed, or never will be."""
        flight = self._flights.pop(who, None)
        if flight is None:
            return
        loaded = self._loaded[flight[0]]
        del loaded[who]
        if not loaded:
            del self._loaded[flight[0]]
        if flight[0] in self._places:
            self._show(flight[0])

    def expire(self, now: float) -> None:
        """Who has not claimed by now is not waited for; nor if a clock was put back."""
        while self._flights:             # in the order of their ends, for all take equally long
            who = next(iter(self._flights))
            if 0 < self._flights[who][2] - now <= FLIGHT:
                return
            self.credit(who)

    # -- choosing --------------------------------------------------------------------------------

    def best(self, request: choose.Request, count: int = 3) -> list[choose.Place]:
        """The best places, best first.  What is in flight is left alone if there is anything else;
        raises ``NoPlace`` only if nothing fits even without it."""
        found = self._named(request, count) if request.forced is not None or request.only \
            else self._walked(request, count)
        if found:
            return found
        if not self._flights and not (request.tried or request.avoid or request.only
                                      or request.forced):
            # Says why with one host of each level: a full cell is asked often.
            choose.choose(request, [level.place for make in self._makes.values()
                                    for level in make.levels.values()],
                          choose.HOST_FILTERS, choose.spread, count)
        return choose.choose(request, self.all(), choose.HOST_FILTERS, choose.spread, count)

    def _named(self, request: choose.Request, count: int) -> list[choose.Place]:
        names = request.only or {request.forced}
        found = []
        for key in names:
            if key in self._places:
                place = msgspec.structs.replace(self._places[key],
                                                free=self._shown[key].place.free)
                if all(keep(place, request) for _name, keep in choose.HOST_FILTERS):
                    found.append((-choose.spread(place, request), self._rank(key), key))
        return [self._places[key] for _score, _rank, key in sorted(found)[:count]]

    def _walked(self, request: choose.Request, count: int) -> list[choose.Place]:
        found: list[tuple[float, str]] = []
        for make in self._makes.values():
            least = make.least(request.amounts)
            if least is None or not all(keep(make.place, request) for keep in choose.BY_FACTS):
                continue
            for load, room in make.walk:
                if load + least > (found[-1][0] if len(found) == count else 1.0) + _NEAR:
                    break                # it, and all after it, end fuller than what is found
                level = make.levels[room]
                if level.ranks and all(keep(level.place, request) for keep in choose.BY_ROOM):
                    score = -choose.spread(level.place, request)
                    found = sorted(found + [(score, rank) for rank in self._allowed(
                        level, request, count)])[:count]
        return [self._places[self._names[rank]] for _score, rank in found]

    def _allowed(self, level: Level, request: choose.Request, count: int) -> list[str]:
        """The first of a level whose names will do."""
        if not request.tried and not request.avoid:
            return level.ranks[:count]
        allowed = []
        for rank in level.ranks:
            key = self._names[rank]
            if key not in request.tried and key not in request.avoid:
                allowed.append(rank)
                if len(allowed) == count:
                    break
        return allowed

    # -- counting --------------------------------------------------------------------------------

    def shapes(self, shapes: dict[str, choose.Request]) -> None:
        """Count the slots of these shapes from now on."""
        if shapes == self._shapes:
            return
        self._shapes = shapes
        self._slots = {}
        for make in self._makes.values():
            for level in make.levels.values():
                level.fits = {shape: _fits(level.place, request)
                              for shape, request in shapes.items()}
                if _usable(level.place):
                    self._add(level, level.count)

    def slots(self) -> dict[str, dict[str, int]]:
        """zone -> shape -> how many more servers, over hosts that are up and enabled."""
        return {zone: dict(counted) for zone, counted in self._slots.items()}

    def slots_of(self, request: choose.Request) -> dict[str, int]:
        """zone -> how many more servers of one shape that is not counted all the time."""
        found: dict[str, int] = {}
        for make in self._makes.values():
            if _usable(make.place):
                fits = sum(level.count * _fits(level.place, request)
                           for level in make.levels.values())
                for zone in make.place.zones:
                    found[zone] = found.get(zone, 0) + fits
        return found

    def fullness(self) -> float:
        """The mean over hosts that are up and enabled; 1 if there are none."""
        return self._ppm / _PPM / self.usable if self.usable else 1.0

    def _count(self, key: str, level: Level | None) -> None:
        before = self._true.pop(key, None)
        if level is not None:
            self._true[key] = level
        if before is level:
            return
        for one, by in ((level, 1), (before, -1)):
            if one is not None:
                one.count += by
                if _usable(one.place):
                    self.usable += by
                    self._ppm += by * one.ppm
                    self._add(one, by)
        if before is not None:
            self._discard(before)

    def _add(self, level: Level, by: int) -> None:
        for zone in level.place.zones:
            counted = self._slots.setdefault(zone, dict.fromkeys(self._shapes, 0))
            for shape, fits in level.fits.items():
                counted[shape] += by * fits


def own_rank(salt: str) -> Rank:
    """An order of names that is this chooser's own."""
    return lambda key: f"{zlib.crc32((salt + key).encode()):08x} {key}"


def _usable(place: choose.Place) -> bool:
    return place.up and place.enabled


def _fits(place: choose.Place, request: choose.Request) -> int:
    """How many servers of a shape a host takes."""
    if choose.trait_filter(place, request) and choose.resource_filter(place, request):
        return pack.joint_slots(request.amounts, place.free)
    return 0
