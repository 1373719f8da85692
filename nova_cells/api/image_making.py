# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Images that are made of servers: the record at once, as the user; the bytes later, by the host.

What is made is described here, as the public api-ref does ("Create Image"): the properties of the
image that the server was booted from, less those that must not be inherited, and whose it is.  The
user's token goes to the image service and nowhere else.  A record whose order was refused is taken
back; one whose order was not answered stays, for the host may be filling it.
"""

import logging
import typing

from nova_cells.api import found
from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import protocol

LOG = logging.getLogger(__name__)
#: Never inherited, whatever the operator says.
_NEVER = frozenset((
    "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy", "img_signature",
    "img_signature_hash_method", "img_signature_key_type", "img_signature_certificate_uuid",
    "mappings", "block_device_mapping", "img_mappings", "img_block_device_mapping", "os_hidden"))
_NEVER_BEGIN = ("os_glance",)
_LONGEST = 255


def described(request: typing.Any, record: model.Server, name: str, kind: str,
              given: dict[str, str]) -> protocol.NewImage:
    """The image of a server.  ``given``: what the user says of it; what we say of it wins, for
    rotation goes by it.  Only the type of a snapshot is the user's to say, as long as it does not
    pass for a backup."""
    asker, source = request.context.project_id or "", record.image
    theirs = asker != record.project_id
    ours = {"instance_uuid": record.uuid, "user_id": request.context.user_id or "",
            "image_type": kind}
    if kind == "snapshot" and given.get("image_type", "backup") != "backup":
        ours["image_type"] = given["image_type"]
    if source is not None and source.id:
        ours["base_image_ref"] = source.id
    if theirs:
        ours["instance_owner"] = record.project_id
    formats = kind != "snapshot" and source is not None
    return protocol.NewImage(
        id=request.services.ids.uuid(), name=name,
        visibility="shared" if theirs else "private",
        member=record.project_id if theirs else None,
        min_disk=max(source.min_disk if source else 0, record.flavor.disk_gb),
        min_ram=source.min_ram if source else 0,
        disk_format=source.disk_format if formats else None,
        container_format=source.container_format if formats else None,
        properties={**_inherited(request.services.conf, source), **given, **ours})


def _inherited(conf: typing.Any, source: model.ImageFacts | None) -> dict[str, str]:
    never = _NEVER.union(conf.non_inheritable_image_properties)
    return {name: value[:_LONGEST] for name, value in (source.properties if source else {}).items()
            if name not in never and not name.startswith(_NEVER_BEGIN)}


def within_limit(request: typing.Any, properties: dict[str, typing.Any]) -> None:
    """``OverLimit`` for more properties than the project's quota of metadata items."""
    if not properties:
        return
    who, view = request.context, request.services.view
    with view.read() as tx:
        limit = view.quota.limits(tx, who.project_id, who.user_id)["metadata_items"]
    if 0 <= limit < len(properties):
        raise errors.OverLimit("Image metadata limit exceeded")


def begin(request: typing.Any, row: typing.Any, verb: str, image: protocol.NewImage | None,
          options: dict[str, str] | None = None) -> None:
    """Order a verb that fills an image; the record is made when nothing known stands against it.
    ``None``: the verb needs no image, for the server's disk is a volume."""
    services = request.services
    lifecycle.begin(found.unpack(row.record), verb, 0.0)     # says why not, before anything is made
    order = services.orders.act(row.uuid, verb, request.origin, services.now(),
                                wanted=wants.Wanted(image_id=image.id if image else None,
                                                    options=options or {}))
    services.orders.check_up(order)
    if image is not None:
        services.images.create(image, request.context.auth_token)
    try:
        found.carry_out(request, order)
    except errors.CellDown:
        raise
    except errors.Problem:
        if image is not None:
            forget(request, image.id)
        raise


def forget(request: typing.Any, image_id: str) -> None:
    """Delete an image, as the user; what stands against it is only logged."""
    try:
        request.services.images.delete(image_id, request.context.auth_token)
    except errors.NotFound:
        return
    except errors.Problem as problem:
        LOG.warning("image=%s cannot be deleted: %s", image_id, problem)


def forget_shelved(request: typing.Any, row: typing.Any) -> None:
    """The server is deleted: so is the image that it was shelved in."""
    image_id = found.unpack(row.record).shelved_image_id
    if image_id is not None:
        forget(request, image_id)
