# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the volume service promises us.

A server's use of a volume is an *attachment* of the volume service: reserved first, connected by
the host that has the guest, complete when the guest sees it, released when it does not any more.
``token`` is the asking user's and is used for the one request in which it came; without it we
ask as our own service user.  Sizes are GiB.

Every call raises ``NotFound`` for what is not there or may not be seen, ``Invalid`` for what the
service refuses, ``OverLimit`` past the project's quota of volumes, and ``Unreachable`` when the
service does not answer: then what was asked may have happened.  ``release``, ``delete`` and
``complete`` may be repeated.
"""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model


class Unreachable(errors.Problem):
    """The volume service does not answer: 503 to a user, another try for a host."""

    family = "cell_down"


class Use(model.Value, kw_only=True):
    """An attachment, as the volume service knows it."""

    id: str
    volume_id: str
    server: str
    status: str = "reserved"             # reserved, attaching, attached
    host: str | None = None              # that connected it


class Volume(model.Value, kw_only=True):
    """A volume, as far as servers care."""

    id: str
    size: int
    status: str                          # available, reserved, attaching, in-use, error, ...
    name: str = ""
    bootable: bool = False
    multiattach: bool = False
    zone: str | None = None
    volume_type: str | None = None
    migration: str | None = None         # migration_status
    image: dict[str, str] = {}           # volume_image_metadata
    uses: tuple[Use, ...] = ()


class Snapshot(model.Value, kw_only=True):
    """A snapshot of a volume."""

    id: str
    volume_id: str
    size: int
    status: str = "available"


class Plan(model.Value, kw_only=True):
    """A volume that is to be made.  ``key`` finds it again, if the answer is lost."""

    key: str
    size: int
    name: str = ""
    image: str | None = None
    snapshot: str | None = None
    volume_type: str | None = None
    zone: str | None = None


class VolumeRoom(typing.Protocol):
    """What servers need of volumes."""

    def show(self, volume_id: str, token: str | None = None) -> Volume:
        """One volume."""

    def snapshot(self, snapshot_id: str, token: str | None = None) -> Snapshot:
        """One snapshot."""

    def types(self, token: str | None = None) -> dict[str, str]:
        """The volume types that may be used: id -> name."""

    def create(self, plan: Plan, token: str | None = None) -> Volume:
        """A new volume in the project of the token; "creating" at first."""

    def made(self, key: str) -> list[Volume]:
        """The volumes that were made by this key, of any project."""

    def delete(self, volume_id: str) -> None:
        """Gone, soon.  ``Invalid`` while it is used."""

    def reserve(self, volume_id: str, server: str) -> str:
        """The id of a new attachment, not connected.  ``Invalid`` if another server has it and
        it is not multi-attach, or if it is in no state for it."""

    def connect(self, attachment: str, connector: dict[str, typing.Any],
                device: str | None = None) -> dict[str, typing.Any]:
        """Let this host have it; how it gets at the data."""

    def complete(self, attachment: str) -> None:
        """The guest has it: the volume is in-use."""

    def release(self, attachment: str) -> None:
        """The guest has it no more: the connection is closed."""

    def uses(self, server: str, volume_id: str | None = None) -> list[Use]:
        """All attachments of a server."""

    def migrated(self, old: str, new: str, failed: bool = False) -> str:
        """A swap that the volume service asked for has ended: the id that the volume has now."""

    def take_snapshot(self, volume_id: str, name: str, token: str | None = None) -> Snapshot:
        """A snapshot, of a volume in use as well; "creating" at first."""

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Gone, soon."""

    def tell_snapshot(self, snapshot_id: str, status: str) -> None:
        """How an assisted snapshot went: "creating", "deleting" or an error word."""
