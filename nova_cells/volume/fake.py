# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A mock volume service: volumes, snapshots and attachments that move as the real ones do.

For development, simulation and tests.  May assume nothing, reaches no network, draws no random
number: ids come from whoever makes it.  What only tests need (failures, stalls) stands at the end.
"""

import collections
import collections.abc
import contextlib
import itertools
import threading
import typing
import uuid as uuids

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.volume import protocol

Problem = tuple[Exception, bool]
SPACE = uuids.UUID("c1dde700-fa4e-4000-8000-000000000000")
KINDS = {"c1dde700-fa4e-4000-8000-0000000000aa": "fake-lvm",
         "c1dde700-fa4e-4000-8000-0000000000bb": "fake-fast"}


class FakeVolumes:
    """Volumes by id.  Everybody may see those of no owner; a token of another sees no other."""

    def __init__(self) -> None:
        self.volumes: dict[str, protocol.Volume] = {}
        self.snapshots: dict[str, protocol.Snapshot] = {}
        self.attachments: dict[str, protocol.Use] = {}
        self.told: list[tuple[str, ...]] = []            # what hosts told the service
        self.slow = 0                                    # looks until a new volume is there
        self._keys: dict[str, str] = {}                  # volume -> key of its plan
        self._owners: dict[str, str | None] = {}
        self._looks: collections.Counter[str] = collections.Counter()
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._problems: dict[str, collections.deque[Problem]] = {}

    def add(self, size: int = 1, *, owner: str | None = None, volume_id: str | None = None,
            **facts: typing.Any) -> protocol.Volume:
        """Put a volume there, as its user would.  ``owner``: the only token that may see it."""
        volume = protocol.Volume(id=volume_id or self._id(), size=size,
                                 **{"status": "available", **facts})
        self.volumes[volume.id] = volume
        self._owners[volume.id] = owner
        return volume

    def _id(self) -> str:
        return str(uuids.uuid5(SPACE, str(next(self._numbers))))

    # -- what users see ----------------------------------------------------------------------------

    def show(self, volume_id: str, token: str | None = None) -> protocol.Volume:
        """One volume; one that is being made is there after a few looks."""
        with self._call("show"):
            volume = self._see(volume_id, token)
            if volume.status == "creating":
                self._looks[volume_id] += 1
                if self._looks[volume_id] > self.slow:
                    volume = self._set(volume_id, status="available")
            return model.replace(volume, uses=tuple(self._uses(volume_id)))

    def snapshot(self, snapshot_id: str, token: str | None = None) -> protocol.Snapshot:
        """One snapshot; a new one is there when it is looked at."""
        with self._call("snapshot"):
            found = self.snapshots.get(snapshot_id)
            if found is None:
                raise errors.NotFound(f"Snapshot {snapshot_id} could not be found.")
            if found.status == "creating":
                found = self.snapshots[snapshot_id] = model.replace(found, status="available")
            return found

    def types(self, token: str | None = None) -> dict[str, str]:
        """Two."""
        with self._call("types"):
            return dict(KINDS)

    def create(self, plan: protocol.Plan, token: str | None = None) -> protocol.Volume:
        """Another volume."""
        with self._call("create"):
            if plan.size <= 0:
                raise errors.Invalid("Volume size must be greater than 0.")
            if plan.snapshot and plan.snapshot not in self.snapshots:
                raise errors.NotFound(f"Snapshot {plan.snapshot} could not be found.")
            image = {"image_id": plan.image} if plan.image else {}
            volume = self.add(plan.size, status="creating", name=plan.name, zone=plan.zone,
                              volume_type=plan.volume_type, image=image,
                              bootable=bool(plan.image or plan.snapshot))
            self._keys[volume.id] = plan.key
            return volume

    def made(self, key: str) -> list[protocol.Volume]:
        """By this key."""
        with self._call("made"):
            return [self.volumes[uuid] for uuid, own in self._keys.items()
                    if own == key and uuid in self.volumes]

    def delete(self, volume_id: str) -> None:
        """At once."""
        with self._call("delete"):
            if volume_id not in self.volumes:
                return
            if list(self._uses(volume_id)):
                raise errors.Invalid(f"Invalid volume: Volume {volume_id} is in use.")
            del self.volumes[volume_id]

    # -- attachments -------------------------------------------------------------------------------

    def reserve(self, volume_id: str, server: str) -> str:
        """Reserved for this server."""
        with self._call("reserve"):
            volume = self._see(volume_id, None)
            others = [use for use in self._uses(volume_id) if use.server != server]
            if (others and not volume.multiattach) or volume.status not in (
                    "available", "reserved", "attaching", "in-use"):
                raise errors.Invalid(
                    f"Invalid volume: Volume {volume_id} status must be available or downloading "
                    f"to reserve, but the current status is {volume.status}.")
            use = protocol.Use(id=self._id(), volume_id=volume_id, server=server)
            self.attachments[use.id] = use
            self._settle(volume_id)
            return use.id

    def connect(self, attachment: str, connector: dict[str, typing.Any],
                device: str | None = None) -> dict[str, typing.Any]:
        """Connected; what a real one says of how to reach the data."""
        with self._call("connect"):
            use = self._use(attachment)
            host = str(connector.get("host", ""))
            if use.host not in (None, host):
                raise errors.Invalid(f"Invalid attachment: {attachment} is connected to another "
                                     f"host.")
            status = "attaching" if use.status == "reserved" else use.status
            self.attachments[attachment] = model.replace(use, host=host, status=status)
            self._settle(use.volume_id)
            return {"driver_volume_type": "fake", "volume_id": use.volume_id,
                    "attachment_id": attachment, "access_mode": "rw"}

    def complete(self, attachment: str) -> None:
        """In use."""
        with self._call("complete"):
            use = self._use(attachment)
            self.attachments[attachment] = model.replace(use, status="attached")
            self._settle(use.volume_id)

    def release(self, attachment: str) -> None:
        """Let go."""
        with self._call("release"):
            use = self.attachments.pop(attachment, None)
            if use is not None:
                self._settle(use.volume_id)

    def uses(self, server: str, volume_id: str | None = None) -> list[protocol.Use]:
        """Of this server."""
        with self._call("uses"):
            return [use for use in self.attachments.values()
                    if use.server == server and volume_id in (None, use.volume_id)]

    # -- what hosts say ------------------------------------------------------------------------

    def migrated(self, old: str, new: str, failed: bool = False) -> str:
        """A migrated volume keeps the id that its users know; in another swap the new one does."""
        with self._call("migrated"):
            self.told.append(("migrated", old, new, str(failed)))
            volume = self._see(old, None)
            if volume.migration is None:
                return new
            self._set(old, migration="error" if failed else "success")
            return new if failed else old

    def take_snapshot(self, volume_id: str, name: str,
                      token: str | None = None) -> protocol.Snapshot:
        """A snapshot that is there when it is looked at."""
        with self._call("take_snapshot"):
            volume = self._see(volume_id, token)
            made = protocol.Snapshot(id=self._id(), volume_id=volume_id, size=volume.size,
                                     status="creating")
            self.snapshots[made.id] = made
            return made

    def drop_snapshot(self, snapshot_id: str) -> None:
        """At once."""
        with self._call("drop_snapshot"):
            self.snapshots.pop(snapshot_id, None)

    def tell_snapshot(self, snapshot_id: str, status: str) -> None:
        """Noted."""
        with self._call("tell_snapshot"):
            self.told.append(("snapshot", snapshot_id, status))

    # -- inside ------------------------------------------------------------------------------------

    def _see(self, volume_id: str, token: str | None) -> protocol.Volume:
        volume = self.volumes.get(volume_id)
        if volume is None or (token is not None
                              and self._owners[volume_id] not in (None, token)):
            raise errors.NotFound(f"Volume {volume_id} could not be found.")
        return volume

    def _use(self, attachment: str) -> protocol.Use:
        if attachment not in self.attachments:
            raise errors.NotFound(f"Volume attachment {attachment} could not be found.")
        return self.attachments[attachment]

    def _uses(self, volume_id: str) -> collections.abc.Iterator[protocol.Use]:
        return (use for use in self.attachments.values() if use.volume_id == volume_id)

    def _set(self, volume_id: str, **facts: typing.Any) -> protocol.Volume:
        volume = self.volumes[volume_id] = model.replace(self.volumes[volume_id], **facts)
        return volume

    def _settle(self, volume_id: str) -> None:
        """The status that the attachments make; one in error stays so."""
        volume = self.volumes.get(volume_id)
        if volume is None or volume.status in ("error", "creating", "deleting"):
            return
        there = {use.status for use in self._uses(volume_id)}
        for status, shown in (("attached", "in-use"), ("attaching", "attaching"),
                              ("reserved", "reserved")):
            if status in there:
                self._set(volume_id, status=shown)
                return
        self._set(volume_id, status="available")

    # -- for tests ---------------------------------------------------------------------------------

    def fail(self, call: str, problem: Exception | None = None, after: bool = False,
             times: int = 1) -> None:
        """The next calls of this name raise this, before or ``after`` they were carried out;
        without a problem the service stalls: it does not answer."""
        stalled = protocol.Unreachable("the volume service does not answer; try again later")
        self._problems.setdefault(call, collections.deque()).extend(
            [(problem or stalled, after)] * times)

    @contextlib.contextmanager
    def _call(self, name: str) -> collections.abc.Iterator[None]:
        with self._lock:
            waiting = self._problems.get(name)
            problem, after = waiting.popleft() if waiting else (None, False)
            if problem is not None and not after:
                raise problem
            yield
            if problem is not None:
                raise problem
