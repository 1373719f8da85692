# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the simulated world is made of: its faults, its uuids, its nodes, a forgetful scheduler."""

import collections.abc
import random
import uuid as uuids

from nova_cells import seal
from nova_cells.conductor import proposing
from nova_cells.db.cell import places as known
from nova_cells.domain import codec, effects, errors, selection
from nova_cells.scheduler import choose
from nova_cells.selector import service as selecting

#: Seconds between two idle ticks of a job.  What matters is that they come in any order; whatever
#: cannot wait is woken by its own effect, so rare ticks save time and hide nothing.
TICKS = {"offers": 10.0, "intents": 10.0, "orders": 20.0, "pulse": 30.0, "heal": 60.0,
         "catalogue": 40.0, "relay": 20.0, "watchdog": 20.0, "hosts": 30.0, "purge": 600.0,
         "hello": 30.0, "guests": 60.0, "events": 30.0, "reclaim": 60.0, "reservations": 30.0,
         "shelved": 30.0, "volumes": 60.0}


class Crash(BaseException):
    """A service dies here, in the middle of what it does; nothing may catch that."""


class StillSeal(seal.Seal):
    """Seals without chance, for the same seed must give the same messages.  Hides, no more."""

    def __init__(self) -> None:
        pass

    def close(self, data: bytes | None) -> bytes | None:
        """Every byte turned over, as text."""
        return None if data is None else bytes(byte ^ 0x55 for byte in data).hex().encode()

    def open(self, data: bytes | None) -> bytes | None:
        """Turned back."""
        return None if data is None else bytes(byte ^ 0x55 for byte in bytes.fromhex(
            data.decode()))


class Faults:
    """How bad the world is.  All of it off: ``Faults(0)``."""

    def __init__(self, level: float = 1.0) -> None:
        self.lose = 0.08 * level
        self.repeat = 0.10 * level
        self.echo = 0.5                  # of what is repeated: the second comes much later
        self.late = 0.04 * level         # minutes late, instead of milliseconds
        self.crash = 0.02 * level
        self.crash_step = 0.04 * level
        self.driver = 0.05 * level       # a step fails on the host


class Ids:
    """Uuids from the seed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def uuid(self) -> str:
        """One more."""
        return str(uuids.UUID(int=self._rng.getrandbits(128), version=4))


class Node:
    """One service: made anew after each crash."""

    def __init__(self, name: str, make: collections.abc.Callable[[], object], skew: float,
                 cell: str | None = None, host: str | None = None) -> None:
        self.name, self.make, self.skew = name, make, skew
        self.cell, self.host = cell, host
        self.service = make()
        self.alive = True
        self.life = 0

    def handle(self, message: object, now: float, sender: str | None) -> list[effects.Effect]:
        """By its own clock."""
        if getattr(self.service, "wants_sender", False):
            return self.service.handle(message, now + self.skew, sender)
        return self.service.handle(message, now + self.skew)


class FarOff(proposing.Service):
    """Asks a scheduler service that knows what it knew, and that does not always answer."""

    def __init__(self, cell: str, selector: selecting.Selector, rng: random.Random,
                 now: collections.abc.Callable[[], float]) -> None:
        super().__init__(cell, self._call)
        self._selector, self._rng, self._now = selector, rng, now

    def _call(self, _to: object, question: selection.Select, _budget: float) -> object:
        if self._rng.random() < 0.1:
            raise errors.CellDown("the scheduler does not answer")
        done = self._selector.handle(codec.decode(codec.encode(question)), self._now())
        return codec.decode(codec.encode(done[0].message))


class Forgetful(proposing.Library):
    """Proposes from an old snapshot now and then, as a scheduler of its own would."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._old: list[tuple[choose.Place, selection.Proposal]] = []

    def propose(self, places: known.Places, server: str, request: choose.Request,
                now: float) -> list[selection.Proposal]:
        """Proposals; what commits them must notice that they are stale."""
        places.look(now)
        old, self._old = self._old, [(place, places.proposal(place.key))
                                     for place in places.fleet.all()]
        if not old or self._rng.random() >= 0.3:
            return self.choose(places, server, request, now)
        proposals = {place.key: proposal for place, proposal in old}
        return [proposals[place.key] for place in choose.choose(
            request, [place for place, _proposal in old], choose.HOST_FILTERS, choose.spread)]
