# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver promises whose guests can have volumes (capability "volumes").

As in ``protocol``: every call may be repeated, blocks until it is true, or raises.  A connection
is what the volume service said of how to reach the data; it may hold secrets: never logged, never
kept outside the hypervisor's own files.
"""

import typing

from nova_cells.domain import server as model


class GuestDisk(model.Value, kw_only=True):
    """A volume as a guest has it."""

    volume_id: str
    device: str                          # "/dev/vdb"
    root: bool = False                   # the guest boots from it
    size: int = 0                        # GiB, as the guest sees it; 0: not known
    tag: str | None = None
    snapshots: tuple[str, ...] = ()      # taken with the hypervisor's help


class Volumes(typing.Protocol):
    """Volumes of guests."""

    def connector(self) -> dict[str, typing.Any]:
        """How a volume service can know this host: its name, address, initiators."""

    def attach_volume(self, uuid: str, disk: GuestDisk,
                      connection: dict[str, typing.Any]) -> None:
        """The guest has it: a running one at once, one that is being made from its start."""

    def detach_volume(self, uuid: str, volume_id: str) -> None:
        """The guest has it no more.  Succeeds when there is no such guest."""

    def guest_disks(self, uuid: str) -> list[GuestDisk]:
        """The volumes that a guest has."""

    def swap_volume(self, uuid: str, old: str, disk: GuestDisk,
                    connection: dict[str, typing.Any]) -> None:
        """The data of ``old`` is copied, and the guest has the other one instead."""

    def extend_volume(self, uuid: str, volume_id: str, size: int) -> None:
        """The volume has grown to so many GiB: the guest sees it."""


class AssistedSnapshots(typing.Protocol):
    """Snapshots of volumes that only the hypervisor can take (capability "assisted_snapshots")."""

    def snapshot_volume(self, uuid: str, volume_id: str, info: dict[str, str]) -> None:
        """What the guest writes goes to a new file; the old one is the snapshot."""

    def delete_volume_snapshot(self, uuid: str, volume_id: str, snapshot: str,
                               info: dict[str, typing.Any]) -> None:
        """The snapshot's file is merged away."""
