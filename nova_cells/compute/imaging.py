# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Verbs that make an image of a guest: snapshot and backup.

The record of the image was made by the API, as the user; here it is filled, as our service user.
Each step may be repeated, and a failure leaves neither a copy on the host nor a record without
bytes: an image is there and whole, or it is gone.
"""

import contextlib
import logging

from nova_cells.compute import flow, work
from nova_cells.domain import errors, tasks
from nova_cells.domain import wanted as wants
from nova_cells.image import protocol as images

LOG = logging.getLogger(__name__)
PENDING, UPLOADING = 1, 2        # phases


def room(doing: work.Work) -> images.ImageRoom:
    """The image service, as this host has it."""
    if doing.images is None:
        raise errors.HostTrouble("this host has no image service")
    return doing.images


def picture_flow(doing: work.Work, image_id: str,
                 before: tuple[flow.Step, ...] = ()) -> flow.Flow:
    """An image of the guest's disk, each step with its way back; ``before`` the copy is taken."""
    driver, service, uuid = doing.driver, room(doing), doing.uuid

    def take() -> None:
        driver.take_snapshot(uuid, image_id)
        doing.progress(PENDING)

    def upload() -> None:
        doing.progress(UPLOADING)
        found = driver.open_snapshot(uuid, image_id)
        with contextlib.closing(found.data):
            service.upload(image_id, found.data, found.size, found.disk_format)

    return flow.Flow("picture", (
        flow.Step("expect_image", lambda: wanted_still(service, image_id),
                  lambda: service.delete(image_id)),
        *before,
        flow.Step("take_snapshot", take, lambda: driver.drop_snapshot(uuid, image_id)),
        flow.Step("upload_image", upload, flow.keep),
    ))


def wanted_still(service: images.ImageRoom, image_id: str) -> None:
    """The user may have deleted the image before it was filled."""
    try:
        service.filled(image_id)
    except errors.NotFound:
        raise errors.Conflict(f"Image {image_id} was deleted before it was filled") from None


def picture(doing: work.Work, before: tuple[flow.Step, ...] = ()) -> None:
    """Fill the image that is wanted.  ``before``: steps that come before the copy.  When this was
    begun once and the image is there, there is nothing left to do."""
    image_id = doing.wanted.image_id or ""
    if not (doing.repeated and _is_filled(doing, image_id)):
        doing.run(picture_flow(doing, image_id, before))
    try:
        doing.driver.drop_snapshot(doing.uuid, image_id)
    except errors.Problem as problem:            # the image is good; ``destroy`` drops the copy
        LOG.warning("server=%s image=%s its copy stays on the host: %s", doing.uuid, image_id,
                    problem)


def _is_filled(doing: work.Work, image_id: str) -> bool:
    try:
        return room(doing).filled(image_id)
    except errors.NotFound:
        return False


def snapshot(doing: work.Work) -> dict[str, str]:
    """createImage."""
    picture(doing)
    return {}


def backup(doing: work.Work) -> dict[str, str]:
    """createBackup: an image, and the oldest ones go."""
    wanted, service = doing.wanted, room(doing)
    rotation = int(wanted.options.get(wants.ROTATION, "1"))
    if not (rotation == 0 and doing.repeated and _gone(service, wanted.image_id or "")):
        picture(doing)
    owners = (doing.task.record.project_id, wanted.options.get(wants.OWNER, ""))
    doing.step("rotate")
    for image_id in service.backups(images.Backups(
            server=doing.uuid, kind=wanted.options.get(wants.KIND, ""), owners=owners))[rotation:]:
        with contextlib.suppress(errors.NotFound):
            service.delete(image_id)
            LOG.info("server=%s image=%s is the oldest backup and is deleted", doing.uuid,
                     image_id)
    return {}


def _gone(service: images.ImageRoom, image_id: str) -> bool:
    """With rotation 0 even the new one is deleted, and then we may be asked again."""
    try:
        service.filled(image_id)
    except errors.NotFound:
        return True
    return False


def leave(doing: work.Work) -> None:
    """Another verb was interrupted when it was about to fill an image: nobody will.  Done beside
    the verb that came, which does not fail by it."""
    image_id = doing.wanted.abandoned
    if image_id is None or doing.images is None:
        return
    try:
        doing.driver.drop_snapshot(doing.uuid, image_id)
        doing.images.discard(image_id)
    except errors.Problem as problem:
        LOG.warning("server=%s image=%s nobody fills it any more, and it stays: %s", doing.uuid,
                    image_id, problem)


def drop(service: images.ImageRoom | None, message: tasks.DropImage) -> None:
    """A server runs again that was shelved in this image: what is in it is the past."""
    try:
        if service is not None:
            service.delete(message.image_id)
    except errors.NotFound:
        return
    except errors.Problem as problem:
        LOG.warning("server=%s image=%s it was shelved in stays: %s", message.server,
                    message.image_id, problem)
