# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rescue: a server runs from another image, its own disk beside it; and back again.

Source: the public api-ref, "Rescue Server (rescue Action)".
"""

import typing

from nova_cells.api import acting, server_create, shapes
from nova_cells.api.shapes import Shape
from nova_cells.domain import boot, errors
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

_VOLUME_PROPERTIES = ("hw_rescue_bus", "hw_rescue_device")
SHAPE = Shape(rescue={
    "type": ["object", "null"], "additionalProperties": False,
    "properties": {"adminPass": shapes.string(), "rescue_image_ref": shapes.uuid}})


def rescue(request: typing.Any) -> dict:
    """From the image that is named, or the server's own."""
    given = request.body["rescue"] or {}
    password = given.get("adminPass", server_create.fresh_password())
    row = acting.allowed(request, "os-rescue")
    record = acting.possible(row, "rescue")
    image = _image(request, given.get("rescue_image_ref")) or record.image
    if record.image is None:
        raise errors.Invalid(f"Instance {row.uuid} cannot be rescued: {_why_not(request, image)}")
    sealed = request.services.view.seal.close_secrets(boot.Secrets(admin_password=password))
    acting.act(request, row, "rescue", wanted=wants.Wanted(image=image, secrets=sealed))
    shown = request.services.conf.api.enable_instance_password
    return {"adminPass": password} if shown else {}


def _image(request: typing.Any, reference: str | None) -> model.ImageFacts | None:
    if not reference:
        return None
    try:
        image = request.services.images.facts(reference, request.context.auth_token)
    except (errors.NotFound, errors.Conflict, errors.Invalid):
        image = None
    if image is None or image.properties.get("img_block_device_mapping"):
        raise errors.Invalid(f"Requested rescue image '{reference}' is not supported")
    return image


def _why_not(request: typing.Any, image: model.ImageFacts | None) -> str:
    """A server that boots from a volume: 2.87 asks its host, and none of ours says it can."""
    if request.version >= 87 and image is not None and all(
            name in image.properties for name in _VOLUME_PROPERTIES):
        return "Host unable to rescue a volume-backed instance"
    return "Cannot rescue a volume-backed instance"


ACTIONS = (
    acting.action("rescue", rescue, SHAPE, success=200),
    acting.action("unrescue", acting.verb("unrescue", "os-unrescue")),
)
RULES = (acting.rule("os-rescue"), acting.rule("os-unrescue"))
