# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes of servers that are created: what a body may say, looked up, claimed, made.

Volumes that are not there yet are made here, in the user's own request and with the user's own
token, for the volume service makes them in the project of whoever asks; hosts, which have no
user's token, wait for them and attach them.  Before anything is asked for, it is written down
(``db.view.claims``): what a request that dies leaves, a collector takes away.  Source of rules
and words: the public api-ref, "Create server".
"""

import collections.abc
import logging
import typing

import msgspec

from nova_cells.api import shapes
from nova_cells.db import again
from nova_cells.db.view import claims
from nova_cells.domain import disks, errors
from nova_cells.domain import server as model
from nova_cells.volume import none, protocol

LOG = logging.getLogger(__name__)
MULTIATTACH = 60                         # minor version from which several servers may share one
POLICY = "os_compute_api:servers:create:attach_volume"
BIG = 0x7FFFFFFF

# -- shapes ---------------------------------------------------------------------------------------

_size = shapes.integer(1, BIG)
_OLD: dict[str, typing.Any] = {
    "virtual_name": shapes.string(high=255), "volume_id": shapes.uuid, "snapshot_id": shapes.uuid,
    "volume_size": _size, "device_name": shapes.string(1, 255, pattern="^[a-zA-Z0-9._/-]*$"),
    "delete_on_termination": shapes.boolean, "no_device": shapes.anything,
    "connection_info": shapes.string(high=16777215)}
_NEW: dict[str, typing.Any] = _OLD | {
    "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
    "uuid": shapes.string(1, 255, pattern="^[a-zA-Z0-9._-]*$"), "image_id": shapes.uuid,
    "destination_type": {"type": "string", "enum": ["local", "volume"]},
    "guest_format": shapes.string(high=255), "device_type": shapes.string(high=255),
    "disk_bus": shapes.string(high=255),
    "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$"}}
_TAG = {"tag": shapes.string(1, 60, pattern="^[^,/]*$")}
_TYPE = {"volume_type": {"type": ["string", "null"], "maxLength": 255}}


def _list(fields: dict[str, typing.Any]) -> shapes.Schema:
    return shapes.array({"type": "object", "additionalProperties": False, "properties": fields})


def shape(server: shapes.Shape) -> shapes.Shape:
    """The shape of a server that is to be created, with what it may say of disks."""
    def since(known: shapes.Shape, version: str, **more: typing.Any) -> shapes.Shape:
        return known.since(version, block_device_mapping_v2=shapes.optional(_list(_NEW | more)))

    known = server.since("2.1", block_device_mapping=shapes.optional(_list(_OLD)),
                         block_device_mapping_v2=shapes.optional(_list(_NEW)))
    for version, more in (("2.32", _TAG), ("2.33", {}), ("2.42", _TAG), ("2.67", _TAG | _TYPE)):
        known = since(known, version, **more)
    return known


# -- looked up ------------------------------------------------------------------------------------

class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A disk on a volume.  ``volume``: the one that is there; None: one is made, of ``size``."""

    disk: disks.Disk
    size: int
    volume: protocol.Volume | None = None


def read(request: typing.Any, given: dict[str, typing.Any]) -> tuple[disks.Disk, ...]:
    """What the body says of disks; nothing is looked up yet."""
    found = disks.read(given.get("block_device_mapping", ()),
                       given.get("block_device_mapping_v2", ()), given.get("imageRef"))
    if given.get("block_device_mapping") or given.get("block_device_mapping_v2"):
        request.authorize(POLICY)
    if not found and not given.get("imageRef"):
        raise errors.Invalid("Missing imageRef attribute")
    return found


def on_volume(found: collections.abc.Sequence[disks.Disk]) -> bool:
    """Whether the server boots from a volume: it has no image then."""
    return any(disk.root and disk.on_volume for disk in found)


def served(request: typing.Any) -> None:
    """Raise ``Unsupported`` unless there are volumes, and hosts that can use them."""
    services = request.services
    if not none.there(services.volumes):
        raise errors.Unsupported(none.WORDS)
    with services.view.read() as tx:
        hosts = services.view.records.hosts(tx)
    if not any("volumes" in record.capabilities for _id, _cell, record in hosts):
        raise errors.Unsupported("No host of this deployment can use volumes (capability: "
                                 "volumes).")


def look(request: typing.Any, found: collections.abc.Sequence[disks.Disk],
         flavor: model.Flavor, zone: str | None) -> list[Wanted]:
    """The disks that are volumes, with what is known of what they are made from."""
    needed = [disk for disk in found if disk.on_volume]
    if not needed:
        return []
    served(request)
    needed = _typed(request, needed)
    return [_LOOKS[disk.source](request, disk, flavor, zone) for disk in needed]


def _typed(request: typing.Any, needed: list[disks.Disk]) -> list[disks.Disk]:
    if not any(disk.volume_type for disk in needed):
        return needed
    known = request.services.volumes.types(request.context.auth_token)
    typed = []
    for disk in needed:
        wanted = disk.volume_type
        if wanted and wanted not in known and wanted not in known.values():
            raise errors.Invalid(f"Volume type {wanted} could not be found.")
        typed.append(model.replace(disk, volume_type=known.get(wanted, wanted)) if wanted
                     else disk)
    return typed


def _volume(request: typing.Any, disk: disks.Disk, _flavor: model.Flavor,
            zone: str | None) -> Wanted:
    try:
        volume = request.services.volumes.show(disk.uuid, request.context.auth_token)
    except (errors.NotFound, errors.Refused):
        raise errors.Invalid(f"{disks.PREFIX}: failed to get volume {disk.uuid}.") from None
    if disk.root and not volume.bootable:
        raise errors.Invalid(f"Block Device {disk.uuid} is not bootable.")
    same_zone(request, volume, zone)
    usable(request, volume)
    return Wanted(disk=disk, size=volume.size, volume=volume)


def usable(request: typing.Any, volume: protocol.Volume) -> None:
    """Raise ``Invalid`` unless the volume may be attached to one more server now."""
    if volume.multiattach and request.version < MULTIATTACH:
        raise errors.Invalid("Multiattach volumes are only supported starting with compute API "
                             "version 2.60.")
    if volume.status != "available" and not (volume.multiattach and volume.status in (
            "in-use", "reserved", "attaching")):
        raise errors.Invalid(
            f"Invalid input received: Invalid volume: Volume {volume.id} status must be available "
            f"or downloading to reserve, but the current status is {volume.status}.")


def same_zone(request: typing.Any, volume: protocol.Volume, zone: str | None) -> None:
    """Raise ``Invalid`` if zones must be the same and are not."""
    if zone and volume.zone and zone != volume.zone \
            and not request.services.conf.cinder.cross_az_attach:
        raise errors.Invalid(f"Invalid volume: The server and volume {volume.id} are not in the "
                             f"same availability_zone: {zone} and {volume.zone}")


def _snapshot(request: typing.Any, disk: disks.Disk, _flavor: model.Flavor,
              _zone: str | None) -> Wanted:
    try:
        snapshot = request.services.volumes.snapshot(disk.uuid, request.context.auth_token)
    except (errors.NotFound, errors.Refused):
        raise errors.Invalid(f"{disks.PREFIX}: failed to get snapshot {disk.uuid}.") from None
    return Wanted(disk=disk, size=disk.size or snapshot.size)


def _image(request: typing.Any, disk: disks.Disk, flavor: model.Flavor,
           _zone: str | None) -> Wanted:
    try:
        image = request.services.images.facts(disk.uuid, request.context.auth_token)
    except (errors.NotFound, errors.Conflict):
        raise errors.Invalid(f"{disks.PREFIX}: failed to get image {disk.uuid}.") from None
    size = disk.size or 0
    if disk.root and image.min_ram > flavor.ram_mb:
        raise errors.Invalid("Flavor's memory is too small for requested image.")
    if disk.root and image.min_disk > size:
        raise errors.Invalid(
            f"Volume is smaller than the minimum size specified in image metadata. Volume size is "
            f"{size * 2**30} bytes, minimum size is {image.min_disk * 2**30} bytes.")
    return Wanted(disk=disk, size=size)


def _blank(_request: typing.Any, disk: disks.Disk, _flavor: model.Flavor,
           _zone: str | None) -> Wanted:
    return Wanted(disk=disk, size=disk.size or 0)


_LOOKS = {disks.VOLUME: _volume, disks.SNAPSHOT: _snapshot, disks.IMAGE: _image,
          disks.BLANK: _blank}


# -- claimed and made -----------------------------------------------------------------------------

class Taking:
    """The volumes of the servers of one request.  ``records`` have their attachments once it
    was taken; ``undo`` gives everything back that no server came of."""

    def __init__(self, request: typing.Any, records: tuple[model.Server, ...],
                 wanted: list[Wanted]) -> None:
        self._services = request.services
        self._token = request.context.auth_token
        self._wanted = wanted
        self._claims: dict[str, list[claims.Claim]] = {}
        self.records = records

    def take(self) -> None:
        """Claim all, make what is to be made.  Nothing is left if it raises, but what a collector
        will find by its claim."""
        if not self._wanted:
            return
        again.decide(self._claim)
        try:
            self.records = tuple(self._made(record) for record in self.records)
            again.decide(self._renew)
        except Exception:
            self.undo(())
            raise

    def _claim(self) -> None:
        now, ids = self._services.now(), self._services.ids
        found: dict[str, list[claims.Claim]] = {}
        with self._services.view.write() as tx:
            for record in self.records:
                for one in self._wanted:
                    uuid, there = ids.uuid(), one.volume
                    claim = claims.Claim(
                        uuid=uuid, errand=uuid, server=record.uuid, kind="boot", asked_at=now,
                        volume=there.id if there is not None else None, made=there is None,
                        slot=record.uuid if there is not None and there.multiattach else "")
                    self._services.view.claims.take(tx, claim)
                    found.setdefault(record.uuid, []).append(claim)
        self._claims = found

    def _made(self, record: model.Server) -> model.Server:
        """The record with its attachments, each with a volume."""
        attachments: list[model.Attachment] = []
        kept = self._claims[record.uuid]
        root = next((one.disk.device for one in self._wanted if one.disk.root), None)
        for place, one in enumerate(self._wanted):
            claim, disk = kept[place], one.disk
            if claim.volume is None:
                claim = kept[place] = self._make(claim, one)
            taken = [known.device for known in attachments]
            device = ((disk.device or "/dev/vda") if disk.root
                      else disks.named(disk.device, taken, root))
            attachments.append(model.Attachment(
                volume_id=claim.volume or "", device=device, errand=claim.errand, tag=disk.tag,
                delete_on_termination=disk.delete, boot_index=disk.boot_index, size=one.size,
                multiattach=bool(claim.slot)))
        return model.replace(record, attachments=tuple(attachments))

    def _make(self, claim: claims.Claim, one: Wanted) -> claims.Claim:
        disk = one.disk
        made = self._services.volumes.create(protocol.Plan(
            key=claim.uuid, size=one.size, volume_type=disk.volume_type,
            image=disk.uuid if disk.source == disks.IMAGE else None,
            snapshot=disk.uuid if disk.source == disks.SNAPSHOT else None), self._token)
        LOG.info("server=%s volume=%s made, %d GiB", claim.server, made.id, made.size)
        again.decide(self._found, claim.uuid, made.id)
        return msgspec.structs.replace(claim, volume=made.id)

    def _found(self, claim: str, volume: str) -> None:
        with self._services.view.write() as tx:
            self._services.view.claims.found(tx, claim, volume, self._services.now())

    def _renew(self) -> None:
        with self._services.view.write() as tx:
            self._services.view.claims.renew(
                tx, [claim.uuid for found in self._claims.values() for claim in found],
                self._services.now())

    def accepted(self, servers: collections.abc.Iterable[str]) -> None:
        """These servers are written down; the others are not."""
        kept = set(servers)
        if self._claims:
            again.decide(self._settle, [claim.uuid for server in sorted(kept)
                                        for claim in self._claims.get(server, ())])
            self.undo(kept)

    def _settle(self, uuids: list[str]) -> None:
        with self._services.view.write() as tx:
            self._services.view.claims.settle(tx, *uuids)

    def undo(self, kept: collections.abc.Collection[str]) -> None:
        """Give back what is not of these servers.  What cannot be given back now keeps its claim,
        and a collector sees to it."""
        gone = [claim for server, found in self._claims.items() if server not in kept
                for claim in found if self._given_back(claim)]
        if gone:
            again.decide(self._drop, [claim.uuid for claim in gone])

    def _given_back(self, claim: claims.Claim) -> bool:
        if not claim.made:
            return True
        try:
            for volume in self._services.volumes.made(claim.uuid):
                self._services.volumes.delete(volume.id)
        except errors.Problem as problem:
            LOG.warning("server=%s claim=%s its volume is not deleted yet: %s", claim.server,
                        claim.uuid, problem)
            return False
        # One whose making was not answered may come yet: its claim is looked at again.
        return claim.volume is not None

    def _drop(self, uuids: list[str]) -> None:
        with self._services.view.write() as tx:
            self._services.view.claims.drop(tx, *uuids)
