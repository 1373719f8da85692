# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""createImage and createBackup: an image of a server, as it is now.

Source: the public api-ref, "Servers - run an action".  A lock does not forbid them: nothing of the
server changes.
"""

import typing

from nova_cells.api import acting, found, image_making, shapes
from nova_cells.api.request import Reply
from nova_cells.api.shapes import optional
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.domain.wanted import KIND, OWNER, ROTATION

_NO_QUOTA, _BODY = 39, 45                # minor versions: no quota any more; a body, no Location


def create_image(request: typing.Any) -> Reply:
    """An image for the user to boot from."""
    row = acting.allowed(request, "servers:create_image", lock=False)
    given = request.body["createImage"]
    metadata = _metadata(request, given)
    record = found.unpack(row.record)
    if record.image is None:
        image_id = volume_backed(request, row, record, given["name"].strip(), metadata)
    else:
        image = image_making.described(request, record, given["name"].strip(), "snapshot",
                                       metadata)
        image_making.begin(request, row, "snapshot", image)
        image_id = image.id
    if request.version >= _BODY:
        return Reply({"image_id": image_id})
    service = request.services.images.address() or request.base
    return Reply(headers=(("Location", f"{service}/images/{image_id}"),))


def volume_backed(request: typing.Any, row: typing.Any, record: model.Server, name: str,
                  metadata: dict[str, str]) -> str:
    """Snapshots of its volumes, and an image that names them: nothing here makes those yet."""
    request.authorize(acting.API + "servers:create_image:allow_volume_backed", found.target(row))
    raise errors.Unsupported("An image of a server that boots from a volume cannot be made in this "
                             "deployment (capability: volume_snapshots).")


def create_backup(request: typing.Any) -> Reply:
    """An image of a kind; of each kind only the newest few are kept."""
    row = acting.allowed(request, "os-create-backup", lock=False)
    given = request.body["createBackup"]
    rotation, metadata = int(given["rotation"]), _metadata(request, given)
    record = found.unpack(row.record)
    if record.image is None:
        raise errors.Invalid("Backup is not supported for volume-backed instances.")
    image = image_making.described(request, record, given["name"].strip(), "backup", {
        **metadata, "backup_type": given["backup_type"]})
    image_making.begin(request, row, "backup", image, {
        KIND: given["backup_type"], ROTATION: str(rotation),
        OWNER: request.context.project_id or ""})
    if request.version >= _BODY:
        return Reply({"image_id": image.id})
    return Reply(headers=(("Location", f"{request.base}/v2.1/images/{image.id}"),)
                 if rotation else ())


def _metadata(request: typing.Any, given: dict) -> dict[str, str]:
    found_ = given.get("metadata", {})
    if request.version < _NO_QUOTA:
        image_making.within_limit(request, found_)
    return found_


_image = acting.fields("createImage", name=shapes.name, metadata=optional(shapes.metadata))
_backup = acting.fields("createBackup", name=shapes.name, backup_type=shapes.string(),
                        rotation=shapes.non_negative, metadata=optional(shapes.metadata))

ACTIONS = (
    acting.action("createImage", create_image, _image),
    acting.action("createBackup", create_backup, _backup),
)
RULES = (
    acting.rule("servers:create_image", description="Make an image of a server."),
    acting.rule("servers:create_image:allow_volume_backed",
                description="Make an image of a server whose disk is a volume."),
    acting.rule("os-create-backup", description="Make a backup of a server."),
)
