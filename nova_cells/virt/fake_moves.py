# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Moves between fake hosts: what a real deployment copies over the network, they hand over.

The hosts of one cell share a transfer area: files in a directory of the cell, or memory when
nothing is kept on disk.  A hand-over appears there whole or not at all, and outlives the process.
"""

import contextlib
import os
import threading
import weakref

import msgspec

from nova_cells.domain import errors, lifecycle, resources
from nova_cells.virt import protocol
from nova_cells.virt import volumes as disks


class Disk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A disk on its way: what of a guest goes with it."""

    move: str
    disk_gb: int
    on_volume: bool = False
    console: str = ""
    volumes: dict[str, disks.GuestDisk] = {}


class Parked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A guest that was forgotten, and its disk that was not."""

    move: str
    disk_gb: int | None = None
    on_volume: bool = False
    volumes: dict[str, disks.GuestDisk] = {}
    config_drive: bool = False
    name: str = ""
    epoch: int = 0
    ticket: int = 0
    vcpus: int = 0
    memory_mb: int = 0
    told: tuple[str, str] = ("", "")
    console: str = ""
    nics: dict[str, str] = {}


_decode = msgspec.json.Decoder(Disk).decode
_memory: "weakref.WeakValueDictionary[str, Area]" = weakref.WeakValueDictionary()


class Area:
    """What was sent and is not taken off yet, by server.  ``directory`` None: memory alone."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._disks: dict[str, Disk] = {}
        self._lock = threading.Lock()

    def put(self, uuid: str, disk: Disk) -> None:
        """Whole, or not at all."""
        with self._lock:
            self._disks[uuid] = disk
            if self._directory is not None:
                os.makedirs(self._directory, exist_ok=True)
                temporary = self._path(uuid) + f".{os.getpid()}-{threading.get_ident()}"
                with open(temporary, "wb") as file:
                    file.write(msgspec.json.encode(disk))
                os.replace(temporary, self._path(uuid))

    def get(self, uuid: str, move: str) -> Disk | None:
        """What was sent for this move."""
        with self._lock:
            disk = self._disks.get(uuid)
            if self._directory is not None:
                try:
                    with open(self._path(uuid), "rb") as file:
                        disk = _decode(file.read())
                except FileNotFoundError:
                    disk = None
        return disk if disk is not None and disk.move == move else None

    def drop(self, uuid: str, move: str) -> None:
        """It was taken, or nobody will."""
        if self.get(uuid, move) is None:
            return
        with self._lock:
            self._disks.pop(uuid, None)
            if self._directory is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(self._path(uuid))

    def _path(self, uuid: str) -> str:
        return os.path.join(self._directory or "", uuid)


def area(directory: str | None, cell: str) -> Area:
    """The area that the hosts of a cell share; in memory as long as one of them lives."""
    if directory is not None:
        return Area(directory)
    return _memory.setdefault(cell, Area(None))


class Moves:
    """``moving.Moving`` of the mock hypervisor; a part of ``FakeDriver``."""

    def make_room(self, spec: protocol.GuestSpec) -> None:
        """As ``define`` and ``receive_disk`` would refuse it."""
        with self._failing("make_room"), self._lock:
            for name, amount in resources.amounts(spec.server.flavor).items():
                if name in (resources.VCPU, resources.MEMORY_MB, resources.DISK_GB):
                    self._fits(name, amount)

    def parked(self, uuid: str, move: str) -> bool:
        """Whether it is parked for this move."""
        with self._failing("parked"), self._lock:
            guest = self._guests.get(uuid)
            return guest is not None and guest.parked is not None and guest.parked.move == move

    def send_disk(self, uuid: str, move: str) -> None:
        """Into the area of the cell."""
        with self._failing("send_disk"), self._lock:
            guest = self._guests.get(uuid)
            kept = guest.parked if guest is not None and guest.parked is not None \
                and guest.parked.move == move else guest
            if kept is None or kept.disk_gb is None:
                raise errors.NotFound(f"no disk of {uuid} on {self._settings.host}")
            self.area.put(uuid, Disk(
                move=move, disk_gb=kept.disk_gb, console=kept.console, volumes=kept.volumes,
                on_volume=kept.on_volume))

    def unsend_disk(self, uuid: str, move: str) -> None:
        """Out of the area."""
        with self._failing("unsend_disk"):
            self.area.drop(uuid, move)

    def park(self, uuid: str, move: str) -> None:
        """Only what is set aside is left."""
        with self._changing("park", uuid) as guest:
            if guest.parked is not None and guest.parked.move == move:
                return
            if not guest.defined:
                raise errors.NotFound(f"no guest {uuid} on {self._settings.host}")
            if guest.power != lifecycle.SHUTDOWN:
                raise errors.Conflict(f"guest {uuid} runs, so it cannot be parked: stop it")
            guest.parked = Parked(
                move=move, disk_gb=guest.disk_gb, config_drive=guest.config_drive,
                name=guest.name, epoch=guest.epoch, ticket=guest.ticket, vcpus=guest.vcpus,
                memory_mb=guest.memory_mb, told=guest.told, console=guest.console,
                on_volume=guest.on_volume, volumes=guest.volumes, nics=guest.nics)
            guest.volumes, guest.nics = {}, {}
            guest.defined, guest.disk_gb, guest.config_drive = False, None, False
            guest.vcpus, guest.memory_mb, guest.console, guest.came = 0, 0, "", ""

    def unpark(self, uuid: str, move: str) -> None:
        """As it was."""
        with self._changing("unpark", uuid) as guest:
            kept = guest.parked
            if kept is None or kept.move != move:
                if guest.defined:
                    return
                raise errors.NotFound(f"no guest {uuid} is parked on {self._settings.host}")
            self._restore(guest)

    def _restore(self, guest) -> None:  # noqa: ANN001
        kept = guest.parked
        guest.parked, guest.defined = None, True
        guest.power, guest.saved = lifecycle.SHUTDOWN, False
        guest.on_volume, guest.volumes, guest.nics = kept.on_volume, kept.volumes, kept.nics
        guest.disk_gb, guest.config_drive, guest.name = kept.disk_gb, kept.config_drive, kept.name
        guest.epoch, guest.ticket, guest.told = kept.epoch, kept.ticket, kept.told
        guest.vcpus, guest.memory_mb, guest.console = kept.vcpus, kept.memory_mb, kept.console

    def drop_parked(self, uuid: str) -> None:
        """The disk that was set aside is gone."""
        with self._changing("drop_parked", uuid) as guest:
            guest.parked = None

    def receive_disk(self, spec: protocol.GuestSpec, move: str) -> None:
        """As large as the flavor says; its volumes with it."""
        with self._changing("receive_disk", spec.server.uuid) as guest:
            if guest.came == move:
                return
            sent = self.area.get(guest.uuid, move)
            if sent is None:
                raise protocol.HostTrouble(f"no disk of {guest.uuid} was sent to "
                                           f"{self._settings.host}")
            size = resources.amounts(spec.server.flavor, sent.on_volume).get(resources.DISK_GB, 0)
            self._fits(resources.DISK_GB, size - (guest.disk_gb or 0))
            guest.disk_gb, guest.console, guest.came = size, sent.console, move
            guest.volumes, guest.on_volume = sent.volumes, sent.on_volume
