# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Live migrations between fake hosts: the part of the mock hypervisor that hands guests over.

A guest that leaves takes its time, tells how much is copied, can be stopped or hurried, and is off
here at the moment its state goes over: what goes over is a text that the other host takes up.  So a
guest runs on at most one of the two, whatever is lost between them.  May assume that it is mixed
into ``fake.FakeDriver``.
"""

import threading
import typing

import msgspec

from nova_cells.domain import errors, lifecycle, resources
from nova_cells.virt import migrating, protocol

RUNNING, PAUSED, SHUTDOWN = lifecycle.RUNNING, lifecycle.PAUSED, lifecycle.SHUTDOWN
MIB, GIB = 2**20, 2**30
SLICES = 20                              # how often a copy tells how far it is
#: What of a guest goes over: it is of the guest, and not of the host or the placement.
GOES_OVER = ("power", "saved", "console", "told", "on_volume", "volumes", "nics",
             "knows", "ephemeral", "passwords", "dumps",
             "snapshots")


class _Departure:
    """One guest on its way out, as the thread that copies it and those that steer it see it."""

    def __init__(self) -> None:
        self.word = threading.Event()
        self.aborted = self.hurried = False


class FakeLive:
    """Guests leave and arrive."""

    if typing.TYPE_CHECKING:
        _settings: typing.Any
        _guests: dict[str, typing.Any]
        _lock: typing.Any
        _changing: typing.Any
        _failing: typing.Any
        _fits: typing.Any

    def __init__(self) -> None:
        self._departures: dict[str, _Departure] = {}
        self.copying: float = self._settings.fake.migration_delay    # seconds

    # -- where it goes -------------------------------------------------------------------------

    def prepare_arrival(self, spec: protocol.GuestSpec) -> str:
        """Room, a disk and a definition that waits."""
        takes = resources.amounts(spec.server.flavor, spec.server.image is None)
        with self._changing("prepare_arrival", spec.server.uuid) as guest:
            if not (guest.defined and not guest.arriving):      # else it is here already
                for name, has in ((resources.VCPU, guest.vcpus),
                                  (resources.MEMORY_MB, guest.memory_mb),
                                  (resources.DISK_GB, guest.disk_gb or 0)):
                    self._fits(name, takes.get(name, 0) - has)
                guest.vcpus = takes.get(resources.VCPU, 0)
                guest.memory_mb = takes.get(resources.MEMORY_MB, 0)
                guest.disk_gb = takes.get(resources.DISK_GB, 0)
                guest.config_drive = spec.server.config_drive
                guest.defined = guest.arriving = True
                guest.name = spec.name
            guest.epoch, guest.ticket = spec.epoch, spec.ticket
        return self._settings.host

    def arrive(self, spec: protocol.GuestSpec, handed: str) -> None:
        """It goes on here, as it was."""
        with self._changing("arrive", spec.server.uuid, there=True) as guest:
            if guest.arriving:
                theirs = msgspec.json.decode(handed, type=type(guest))
                for name in GOES_OVER:
                    setattr(guest, name, getattr(theirs, name))
                guest.arriving = False
            guest.epoch, guest.ticket = spec.epoch, spec.ticket

    # -- where it comes from -------------------------------------------------------------------

    def depart(self, uuid: str, address: str, tell: migrating.Tell) -> str:
        """Copied while it runs, then off here."""
        with self._failing("depart"), self._lock:
            guest = self._guests.get(uuid)
            if guest is not None and guest.handed:
                return guest.handed      # it went over: a repeat says the same
            departure = self._departures[uuid] = _Departure()
        try:
            self._copy(uuid, departure, tell)
            return self._hand_over(uuid, departure)
        finally:
            with self._lock:
                self._departures.pop(uuid, None)

    def _copy(self, uuid: str, departure: _Departure, tell: migrating.Tell) -> None:
        with self._lock:
            guest = self._guests.get(uuid)
            memory = (guest.memory_mb if guest else 0) * MIB
            disk = ((guest.disk_gb or 0) if guest else 0) * GIB
        slices = SLICES if self.copying > 0 else 1
        for done in range(slices):
            tell(migrating.Copied(
                memory_total=memory, memory_processed=memory * done // slices,
                memory_remaining=memory - memory * done // slices,
                disk_total=disk, disk_processed=disk * done // slices,
                disk_remaining=disk - disk * done // slices))
            if self.copying > 0:
                departure.word.wait(self.copying / slices)
            if departure.aborted:
                raise errors.Conflict("the live migration was aborted")
            if departure.hurried:
                break

    def _hand_over(self, uuid: str, departure: _Departure) -> str:
        with self._changing("hand_over", uuid, there=True) as guest:
            if departure.aborted:
                raise errors.Conflict("the live migration was aborted")
            if guest.power not in (RUNNING, PAUSED):
                raise errors.Conflict(f"guest {uuid} is off, so there is nothing to migrate live")
            over = type(guest)(uuid, **{name: getattr(guest, name) for name in GOES_OVER})
            guest.handed = msgspec.json.encode(over).decode()
            guest.power = SHUTDOWN
            return guest.handed

    def abort_departure(self, uuid: str) -> None:
        """Stays here."""
        self._steer(uuid, aborted=True)

    def hurry_departure(self, uuid: str) -> None:
        """Goes over at once."""
        self._steer(uuid, hurried=True)

    def _steer(self, uuid: str, *, aborted: bool = False, hurried: bool = False) -> None:
        with self._lock:
            departure = self._departures.get(uuid)
            if departure is None:
                return                   # not begun, or over
            departure.aborted |= aborted
            departure.hurried |= hurried
            departure.word.set()
