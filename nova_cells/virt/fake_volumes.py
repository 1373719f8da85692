# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes of the fake driver's guests.  A mixin: uses the guests of ``FakeDriver``."""

import typing

from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.virt import volumes


class FakeVolumes:
    """Volumes are a note in the guest; what is copied is copied at once."""

    if typing.TYPE_CHECKING:
        _settings: typing.Any
        _guests: dict[str, typing.Any]
        _lock: typing.Any
        _changing: typing.Any
        _failing: typing.Any

    def connector(self) -> dict[str, typing.Any]:
        """A fake one."""
        return {"host": self._settings.host, "ip": "127.0.0.1", "multipath": False,
                "os_type": "linux2", "platform": "fake", "initiator": "iqn.fake"}

    def attach_volume(self, uuid: str, disk: volumes.GuestDisk,
                      connection: dict[str, typing.Any]) -> None:
        """Noted."""
        if not connection:
            raise errors.Invalid(f"volume {disk.volume_id} has no connection")
        with self._changing("attach_volume", uuid) as guest:
            held = next((known for known in guest.volumes.values()
                         if known.volume_id != disk.volume_id and known.device == disk.device),
                        None)
            if held is not None:
                raise errors.Conflict(f"{disk.device} of guest {uuid} is {held.volume_id}")
            guest.volumes = {**guest.volumes, disk.volume_id: disk}

    def detach_volume(self, uuid: str, volume_id: str) -> None:
        """Forgotten; a guest that boots from it cannot let it go while it runs."""
        with self._changing("detach_volume", uuid) as guest:
            disk = guest.volumes.get(volume_id)
            if disk is not None and disk.root and guest.power == lifecycle.RUNNING:
                raise errors.Conflict(f"guest {uuid} runs from volume {volume_id}")
            guest.volumes = {key: known for key, known in guest.volumes.items()
                             if key != volume_id}

    def guest_disks(self, uuid: str) -> list[volumes.GuestDisk]:
        """As noted."""
        with self._failing("guest_disks"), self._lock:
            guest = self._guests.get(uuid)
            return list(guest.volumes.values()) if guest is not None else []

    def swap_volume(self, uuid: str, old: str, disk: volumes.GuestDisk,
                    connection: dict[str, typing.Any]) -> None:
        """At once."""
        with self._changing("swap_volume", uuid, there=True) as guest:
            if disk.volume_id in guest.volumes:
                return
            if old not in guest.volumes:
                raise errors.NotFound(f"guest {uuid} has no volume {old}")
            guest.volumes = {**{key: known for key, known in guest.volumes.items()
                                if key != old}, disk.volume_id: disk}

    def extend_volume(self, uuid: str, volume_id: str, size: int) -> None:
        """Seen by the guest."""
        with self._changing("extend_volume", uuid, there=True) as guest:
            disk = self._disk(guest, volume_id)
            if size < disk.size:
                raise errors.Invalid(f"volume {volume_id} cannot shrink to {size} GiB")
            self._put(guest, model.replace(disk, size=size))

    # -- assisted snapshots ------------------------------------------------------------------------

    def snapshot_volume(self, uuid: str, volume_id: str, info: dict[str, str]) -> None:
        """Noted."""
        with self._changing("snapshot_volume", uuid, there=True) as guest:
            disk = self._disk(guest, volume_id)
            if info["snapshot_id"] not in disk.snapshots:
                self._put(guest, model.replace(
                    disk, snapshots=(*disk.snapshots, info["snapshot_id"])))

    def delete_volume_snapshot(self, uuid: str, volume_id: str, snapshot: str,
                               info: dict[str, typing.Any]) -> None:
        """Forgotten."""
        with self._changing("delete_volume_snapshot", uuid, there=True) as guest:
            disk = self._disk(guest, volume_id)
            self._put(guest, model.replace(disk, snapshots=tuple(
                one for one in disk.snapshots if one != snapshot)))

    @staticmethod
    def _disk(guest: typing.Any, volume_id: str) -> volumes.GuestDisk:
        if volume_id not in guest.volumes:
            raise errors.NotFound(f"guest {guest.uuid} has no volume {volume_id}")
        return guest.volumes[volume_id]

    @staticmethod
    def _put(guest: typing.Any, disk: volumes.GuestDisk) -> None:
        guest.volumes = {**guest.volumes, disk.volume_id: disk}
