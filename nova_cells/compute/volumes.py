# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes on a host: connected, given to the guest, let go; each errand of a volume, and the part
of a boot, a delete or a move that is about volumes.

The volume service keeps what is reserved and connected, so nothing of it is kept here: what an
earlier try left is found by asking which attachments a server has, and used again or released.
May assume that nobody else connects volumes of this server to this host meanwhile.
"""

import logging
import time
import typing

from nova_cells.compute import errands as running
from nova_cells.compute import flow, rooms, work
from nova_cells.domain import errands, errors, tasks
from nova_cells.domain import server as model
from nova_cells.virt import protocol, volumes
from nova_cells.volume import none

LOG = logging.getLogger(__name__)
PATIENCE, LOOK = 1200.0, 2.0             # seconds for a volume to be made; between two looks
#: Waits between two looks; tests and the simulation have their own.
pause: typing.Callable[[float], None] = time.sleep


class Side:
    """This host's side of the volumes of one server."""

    def __init__(self, driver: typing.Any, room: typing.Any, host: str, server: str) -> None:
        self.driver, self.room, self.host, self.server = driver, room, host, server

    def must_do(self) -> None:
        """Raise unless this host can have volumes: another may."""
        if "volumes" not in self.driver.capabilities:
            raise protocol.HostTrouble(f"{self.host} cannot use volumes")
        if not none.there(self.room):
            raise protocol.HostTrouble(f"{self.host} knows no volume service")

    def reserve(self, attachment: model.Attachment, moving: bool = False) -> str:
        """The id of an attachment that is this host's, or may become so.  Those of other hosts
        are let go of, unless the guest moves between them and us."""
        uses = self.room.uses(self.server, attachment.volume_id)
        mine = [use.id for use in uses if use.host in (None, self.host)]
        own = mine[0] if mine else self.room.reserve(attachment.volume_id, self.server)
        for use in uses:                 # only now: it is never anybody's in between
            if use.id != own and (not moving or use.id in mine):
                self.room.release(use.id)
        return own

    def connect(self, attachment: model.Attachment, moving: bool = False) -> model.Attachment:
        """The guest has it, or will have it from its start.  What is now known of it."""
        self.must_do()
        own = self.reserve(attachment, moving)
        told = self.room.connect(own, self.driver.connector(), attachment.device)
        self.driver.attach_volume(self.server, disk(attachment), told)
        return model.replace(attachment, attachment_id=own)

    def let_go(self, attachment: model.Attachment, everywhere: bool = True) -> None:
        """The guest here has it no more, and the volume service knows."""
        if "volumes" in self.driver.capabilities:
            self.driver.detach_volume(self.server, attachment.volume_id)
        for use in self.room.uses(self.server, attachment.volume_id):
            if everywhere or use.host in (None, self.host):
                self.room.release(use.id)


def disk(attachment: model.Attachment) -> volumes.GuestDisk:
    """The volume as the guest has it."""
    return volumes.GuestDisk(
        volume_id=attachment.volume_id, device=attachment.device or "", root=attachment.root,
        size=attachment.size, tag=attachment.tag)


# -- with the server's own verbs ------------------------------------------------------------------

def of(task: tasks.Task) -> list[errands.Errand]:
    """The volumes that the server has, or is to have."""
    return [one for one in task.attached
            if one.kind == errands.VOLUME and one.attachment is not None]


def _side(doing: work.Work) -> Side:
    return Side(doing.driver, doing.rooms.volume, doing.host, doing.uuid)


def must_do(doing: work.Work) -> None:
    """Raise unless this host can have the server's volumes: another may."""
    if of(doing.task):
        _side(doing).must_do()


def wait(doing: work.Work) -> None:
    """Until all of them are made."""
    _side(doing).must_do()
    room, waited = doing.rooms.volume, 0.0
    for one in of(doing.task):
        while True:
            found = room.show(one.attachment.volume_id)
            if found.status not in ("creating", "downloading"):
                break
            if waited > PATIENCE:
                raise errors.Conflict(f"Volume {found.id} did not finish being created: its "
                                      f"status is {found.status}")
            pause(LOOK)
            waited += LOOK
            doing.step("volumes_there")
        if found.status.startswith("error"):
            raise errors.Invalid(f"Volume {found.id} did not finish being created: its status is "
                                 f"{found.status}")


def connect(doing: work.Work, moving: bool = False) -> None:
    """All of them to this host; what was learned goes into the report."""
    side = _side(doing)
    for one in of(doing.task):
        doing.attached.append(model.replace(one, attachment=side.connect(one.attachment, moving)))


def complete(doing: work.Work) -> None:
    """The guest has them all."""
    for one in doing.attached:
        if one.kind == errands.VOLUME:
            doing.rooms.volume.complete(one.attachment.attachment_id)


def let_go(doing: work.Work) -> None:
    """This host's connections; what is connected to other hosts stays."""
    doing.attached.clear()
    problem: errors.Problem | None = None
    for one in of(doing.task):
        try:
            _side(doing).let_go(one.attachment, everywhere=False)
        except errors.Problem as found:
            problem = found
    if problem is not None:
        raise problem


def arrived(doing: work.Work) -> None:
    """The guest lives here now, and there is no way back: what cannot be connected is said, and
    keeps nobody else from it."""
    side = _side(doing)
    for one in of(doing.task):
        try:
            known = side.connect(one.attachment, moving=True)
            side.room.complete(known.attachment_id)
        except errors.Problem as problem:
            LOG.error("server=%s volume=%s could not be connected here: %s", doing.uuid,
                      one.attachment.volume_id, problem)
        else:
            doing.attached.append(model.replace(one, attachment=known))


def take_out(doing: work.Work) -> None:
    """The guest here has none of them any more; what the volume service knows stays, so that the
    volumes stay the server's."""
    if "volumes" in doing.driver.capabilities:
        for disk_ in doing.driver.guest_disks(doing.uuid):
            doing.driver.detach_volume(doing.uuid, disk_.volume_id)


def come_back(doing: work.Work) -> None:
    """To the guest that was parked here: those that it had and the server has no more are taken
    out, and no other host is connected to the rest."""
    if "volumes" not in doing.driver.capabilities:
        return
    known = {one.attachment.volume_id for one in of(doing.task)}
    for disk_ in doing.driver.guest_disks(doing.uuid):
        if disk_.volume_id not in known:
            doing.driver.detach_volume(doing.uuid, disk_.volume_id)
    connect(doing)


def only_here(doing: work.Work) -> None:
    """The guest is here for good: other hosts' connections are closed.  One that cannot be is
    closed with its server, at the latest."""
    try:
        for one in of(doing.task):
            for use in doing.rooms.volume.uses(doing.uuid, one.attachment.volume_id):
                if use.host not in (None, doing.host):
                    doing.rooms.volume.release(use.id)
    except errors.Problem as problem:
        LOG.error("server=%s its volumes are still connected elsewhere: %s", doing.uuid, problem)


def left(doing: work.Work) -> None:
    """The guest lives elsewhere: this host's connections are closed.  One that cannot be is
    closed with its server, at the latest."""
    try:
        let_go(doing)
    except errors.Problem as problem:
        LOG.error("server=%s its volumes are still connected here: %s", doing.uuid, problem)


def put_aside(doing: work.Work) -> None:
    """The guest is gone and its server stays: its volumes are kept for it, connected nowhere."""
    for one in of(doing.task):
        room, attachment = doing.rooms.volume, one.attachment
        uses = room.uses(doing.uuid, attachment.volume_id)
        kept = next((use.id for use in uses if use.host is None), None) \
            or room.reserve(attachment.volume_id, doing.uuid)
        for use in uses:
            if use.id != kept:
                room.release(use.id)
        doing.attached.append(model.replace(
            one, attachment=model.replace(attachment, attachment_id=kept)))


def put_back(doing: work.Work) -> None:
    """Way back of a guest that was to be made again: as it was put aside before."""
    take_out(doing)
    put_aside(doing)


def around(doing: work.Work, steps: flow.Flow, moving: bool = False,
           back: typing.Callable[[work.Work], None] = let_go) -> flow.Flow:
    """The steps of making a guest, with its volumes connected before it is defined.  ``back``: what
    becomes of them when it is not made; ``moving``: other hosts stay connected."""
    if not of(doing.task):
        return steps
    place = next((place for place, step in enumerate(steps.steps) if step.name == "define"), 0)
    before = (flow.Step("volumes_there", lambda _spec: wait(doing), flow.keep),
              flow.Step("connect_volumes", lambda _spec: connect(doing, moving),
                        lambda _spec: back(doing)))
    after = (flow.Step("complete_volumes", lambda _spec: complete(doing), flow.keep),)
    return flow.Flow(steps.name, (*steps.steps[:place], *before, *steps.steps[place:], *after))


# -- errands --------------------------------------------------------------------------------------

def _of(doing: running.Work) -> Side:
    return Side(doing.driver, doing.rooms.volume, doing.host, doing.errand.server)


def _here(doing: running.Work) -> bool:
    """Whether the guest is on this host; a server that is shelved away has none."""
    return doing.record is not None and doing.record.host == doing.host


def attach(doing: running.Work) -> errands.Errand:
    """Reserved, connected, in the guest, complete; or none of it."""
    side, wanted = _of(doing), doing.errand.attachment
    side.must_do()
    try:
        doing.step("reserve_volume")
        if _here(doing):
            known = side.connect(wanted)
        else:
            known = model.replace(wanted, attachment_id=side.reserve(wanted))
        doing.step("complete_volume")
        side.room.complete(known.attachment_id)
    except errors.Problem as problem:
        try:
            doing.step("let_go_of_volume")
            side.let_go(wanted)
        except errors.Problem:
            problem.facts["left"] = True
        raise
    return model.replace(doing.errand, attachment=known)


def detach(doing: running.Work) -> errands.Errand:
    """Out of the guest, and free."""
    side, attachment = _of(doing), doing.errand.attachment
    doing.step("detach_volume")
    if attachment is not None and none.there(side.room):
        side.let_go(attachment)
    return doing.errand


def release(found: rooms.Rooms, errand: errands.Errand) -> None:
    """Of a server that is gone, or of an attach that was given up, which has a fault: nothing is
    left of it, nor of the volume if it goes with its server."""
    attachment, room = errand.attachment, found.volume
    if attachment is None or not none.there(room):
        return
    for use in room.uses(errand.server, attachment.volume_id):
        room.release(use.id)
    if attachment.delete_on_termination and errand.fault is None:
        room.delete(attachment.volume_id)


def swap(doing: running.Work) -> errands.Errand:
    """Another volume in its place, with the same data; the volume service hears how it went."""
    side, old = _of(doing), doing.errand.attachment
    new = doing.errand.options["volume"]
    side.must_do()
    stays = side.room.show(old.volume_id).migration is not None
    target = model.replace(old, volume_id=new, attachment_id=None)
    shown = model.replace(target, volume_id=old.volume_id if stays else new)
    try:
        doing.step("reserve_volume")
        own = side.reserve(target)
        told = side.room.connect(own, side.driver.connector(), old.device)
        doing.step("swap_volume")
        side.driver.swap_volume(side.server, old.volume_id, disk(shown), told)
        side.room.complete(own)
    except Exception:
        for use in side.room.uses(side.server, new):
            side.room.release(use.id)
        side.room.migrated(old.volume_id, new, failed=True)
        raise
    for use in side.room.uses(side.server, old.volume_id):
        if use.id != own:
            side.room.release(use.id)
    found = side.room.migrated(old.volume_id, new)
    return model.replace(doing.errand, attachment=model.replace(
        shown, volume_id=found, attachment_id=own, size=side.room.show(found).size))


def extend(doing: running.Work) -> errands.Errand:
    """The volume has grown: so has the guest's disk."""
    side, known = _of(doing), doing.errand.attachment
    size = side.room.show(known.volume_id).size
    if _here(doing):
        doing.step("extend_volume")
        side.driver.extend_volume(side.server, known.volume_id, size)
    return model.replace(doing.errand, attachment=model.replace(known, size=size))


def take_snapshot(doing: running.Work) -> errands.Errand:
    """A snapshot that only the hypervisor can take; the volume service hears how it went."""
    info, side = doing.errand.options, _of(doing)
    try:
        doing.step("snapshot_volume")
        side.driver.snapshot_volume(side.server, doing.errand.attachment.volume_id, dict(info))
    except Exception:
        side.room.tell_snapshot(info["snapshot_id"], "error")
        raise
    side.room.tell_snapshot(info["snapshot_id"], "creating")
    return doing.errand


def drop_snapshot(doing: running.Work) -> errands.Errand:
    """Merged away; the volume service hears how it went."""
    info, side = doing.errand.options, _of(doing)
    try:
        doing.step("drop_volume_snapshot")
        side.driver.delete_volume_snapshot(
            side.server, doing.errand.attachment.volume_id, info["snapshot_id"], dict(info))
    except Exception:
        side.room.tell_snapshot(info["snapshot_id"], "error_deleting")
        raise
    side.room.tell_snapshot(info["snapshot_id"], "deleting")
    return doing.errand


WORKS: dict[tuple[str, str], running.Doing] = {
    (errands.VOLUME, "attach_volume"): attach,
    (errands.VOLUME, "detach_volume"): detach,
    (errands.VOLUME, "swap_volume"): swap,
    (errands.VOLUME, "extend_volume"): extend,
    (errands.VOLUME, "snapshot_volume"): take_snapshot,
    (errands.VOLUME, "drop_volume_snapshot"): drop_snapshot,
}
running.WORKS.update(WORKS)
running.RELEASES[errands.VOLUME] = release
