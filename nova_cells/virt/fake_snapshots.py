# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The mock hypervisor's copies of disks."""

import io
import typing

from nova_cells.domain import errors
from nova_cells.virt import capabilities, protocol

SECTOR = 512


class Snapshots:
    """A mixin of ``FakeDriver``, which brings ``_changing``, ``_failing``, ``_wait``."""

    def take_snapshot(self: typing.Any, uuid: str, image_id: str) -> None:
        """Only a note that it was taken: what is in it is made when it is read."""
        self._wait()
        with self._changing("take_snapshot", uuid, there=True) as guest:
            if guest.disk_gb is None:
                raise protocol.HostTrouble(f"guest {uuid} has no disk on {self._settings.host}")
            if image_id not in guest.snapshots:
                guest.snapshots = (*guest.snapshots, image_id)

    def open_snapshot(self: typing.Any, uuid: str, image_id: str) -> capabilities.Snapshot:
        """A disk of two sectors."""
        with self._failing("open_snapshot"), self._lock:
            guest = self._guests.get(uuid)
            if guest is None or image_id not in guest.snapshots:
                raise errors.NotFound(f"no snapshot {image_id} of guest {uuid} on "
                                      f"{self._settings.host}")
        text = f"nova-cells fake disk of {uuid}\n".encode()
        # No boot signature: the Image service would look for the partitions that it promises.
        data = text.ljust(SECTOR, b"\0") + image_id.encode().ljust(SECTOR, b"\0")
        return capabilities.Snapshot(io.BytesIO(data), len(data), "raw")

    def drop_snapshot(self: typing.Any, uuid: str, image_id: str) -> None:
        """Forgotten."""
        with self._changing("drop_snapshot", uuid) as guest:
            guest.snapshots = tuple(one for one in guest.snapshots if one != image_id)
