# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver promises that can hand running guests over ("live_migrate" in its capabilities).

Two hosts take part, and only their cell speaks to both.  The destination prepares, the source
copies and lets go, the destination takes up.  At every moment the guest runs on one of them or,
for the length of a message, on none; never on both.  As in all of ``protocol``, every call may be
repeated.
"""

import collections.abc
import typing

from nova_cells.domain import server as model
from nova_cells.virt import protocol


class Copied(model.Value, kw_only=True):
    """How much went over, in bytes."""

    memory_total: int = 0
    memory_processed: int = 0
    memory_remaining: int = 0
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0

    @property
    def percent(self) -> int:
        """How much of all."""
        total = self.memory_total + self.disk_total
        left = self.memory_remaining + self.disk_remaining
        return 100 * (total - left) // total if total else 0


Tell = collections.abc.Callable[[Copied], None]


class Migrating(typing.Protocol):
    """Guests leave and arrive while they run."""

    def prepare_arrival(self, spec: protocol.GuestSpec) -> str:
        """Where it goes: everything that it needs but its memory, not running.  Returns where the
        source reaches this host.  ``HostTrouble`` if there is no room.  Way back: ``destroy``."""

    def depart(self, uuid: str, address: str, tell: Tell) -> str:
        """Where it runs: copy it to a host that prepared, and let go of it.  Returns what the
        destination's ``arrive`` needs.  If it raises, the guest goes on here.  A repeat after it
        let go returns the same.  What stays here is off; ``destroy`` removes it."""

    def arrive(self, spec: protocol.GuestSpec, handed: str) -> None:
        """Where it goes: the guest lives here now, as it was there."""

    def abort_departure(self, uuid: str) -> None:
        """Called beside ``depart``, which then raises ``Conflict`` unless it is too late.  Changes
        nothing when no ``depart`` is under way."""

    def hurry_departure(self, uuid: str) -> None:
        """Called beside ``depart``: whatever it costs, let it end."""
