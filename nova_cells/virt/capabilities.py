# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver may promise beyond ``protocol.Driver``, each by the verbs of the lifecycle table
that it names in its ``capabilities``.  As there, every call may be repeated."""

import typing


class Snapshot(typing.NamedTuple):
    """A copy of a guest's disk, open to be read once."""

    data: typing.BinaryIO
    size: int
    disk_format: str                     # "raw" or "qcow2", with no backing file


class Snapshots(typing.Protocol):
    """Copies of a guest's disk: snapshot, backup, shelve."""

    def take_snapshot(self, uuid: str, image_id: str) -> None:
        """Copy the disk as it is now, and keep the copy on this host under the image's id; one that
        is there already is left as it is.  The guest goes on as it was."""

    def open_snapshot(self, uuid: str, image_id: str) -> Snapshot:
        """``NotFound`` if it was not taken.  Whoever opens it closes ``data``."""

    def drop_snapshot(self, uuid: str, image_id: str) -> None:
        """Way back of ``take_snapshot``.  Succeeds when there is none.  (``destroy`` drops all of
        them.)"""
