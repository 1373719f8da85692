# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rebuild: another image for a server in its place, and whatever else its owner gives anew.

What is named is looked up and checked as for a create; the reply is the server as it is shown
while it is rebuilt.  Source: the public api-ref, "Rebuild Server (rebuild Action)".
"""

import typing

import msgspec
import orjson

from nova_cells.api import acting, formats, found, policy, server_create, shapes
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Shape, optional
from nova_cells.domain import boot, errors, records, rendering
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

TRUSTED = acting.API + "servers:rebuild:trusted_certs"
USER_DATA = "OS-EXT-SRV-ATTR:user_data"
_PLAIN = {"description": "description", "hostname": "hostname", "metadata": "metadata",
          "accessIPv4": "access_ip_v4", "OS-DCF:diskConfig": "disk_config"}

_file = {"type": "object", "additionalProperties": False, "required": ["path", "contents"],
         "properties": {"path": shapes.string(), "contents": shapes.string(format="base64")}}
SHAPE = Shape(rebuild=Shape(
    {"OS-DCF:diskConfig": optional(shapes.one_of("AUTO", "MANUAL"))}, imageRef=shapes.uuid,
    name=optional(shapes.name), adminPass=optional(shapes.string()),
    metadata=optional(shapes.metadata), preserve_ephemeral=optional(shapes.boolean),
    accessIPv4=optional(shapes.string(format="ipv4")),
    accessIPv6=optional(shapes.string(format="ipv6")),
    personality=optional(shapes.array(_file)),
).since("2.19", description=optional(shapes.description),
).since("2.54", key_name=optional(
    {"type": ["string", "null"], "minLength": 1, "maxLength": 255}),
).since("2.57", personality=shapes.REMOVED, user_data=optional(
    {"type": ["string", "null"], "maxLength": 65535, "format": "base64"}),
).since("2.63", trusted_image_certificates=optional(
    {"type": ["array", "null"], "items": shapes.string(1, 255), "minItems": 1, "maxItems": 50,
     "uniqueItems": True}),
).since("2.90", hostname=optional(shapes.hostname),
).since("2.94", hostname=optional(shapes.full_hostname)))


def rebuild(request: typing.Any) -> Reply:
    """Check, order, show."""
    given = request.body["rebuild"]
    password = given.get("adminPass") or server_create.fresh_password()
    row = acting.allowed(request, "servers:rebuild", lock=False)
    if "trusted_image_certificates" in given:
        request.authorize(TRUSTED, found.target(row))
    found.unlocked(request, row)
    record = acting.possible(row, "rebuild")
    key = _looked_up(request, given)
    image = _image(request, given, record)
    renewal = _renewal(request, given, key)
    sealed = request.services.view.seal.close_secrets(boot.Secrets(
        admin_password=password, files=tuple(
            (file["path"], file["contents"]) for file in given.get("personality", ()))))
    record = acting.act(request, row, "rebuild", wanted=wants.Wanted(
        image=image, renewal=renewal, secrets=boot.Sealed(once=sealed.once),
        options={"preserve_ephemeral": "true"} if shapes.truth(
            given.get("preserve_ephemeral", False)) else {}))
    _keep_user_data(request, row, record, renewal)
    return _reply(request, given, record, password)


# -- looked up ------------------------------------------------------------------------------------

def _looked_up(request: typing.Any,
               given: dict) -> boot.Key | None | msgspec.UnsetType:
    """The key, and whether metadata and files are within the quota."""
    view, who = request.services.view, request.context
    with view.read() as tx:
        key = (server_create.find_key(request, tx, given) if "key_name" in given
               else msgspec.UNSET)
        server_create.within_limits(view.quota.limits(tx, who.project_id, who.user_id), given)
    return key


def _image(request: typing.Any, given: dict, record: model.Server) -> model.ImageFacts:
    reference = given["imageRef"]
    try:
        image = request.services.images.facts(reference, request.context.auth_token)
    except errors.NotFound:
        raise errors.Invalid("Cannot find image for rebuild") from None
    except errors.Conflict as problem:
        raise errors.Invalid(problem.message) from None
    if record.image is None:
        if request.version >= 93:
            raise errors.Unsupported("A volume is not imaged anew in this deployment (capability: "
                                     "reimage).")
        raise errors.Invalid(f"Image {reference} is unacceptable: Unable to rebuild with a "
                             f"different image for a volume-backed server.")
    server_create.fits(request, image, record.flavor)
    return image


def _renewal(request: typing.Any, given: dict,
             key: boot.Key | None | msgspec.UnsetType) -> wants.Renewal:
    fields = {field: given[name] for name, field in _PLAIN.items() if name in given}
    if "name" in given:
        fields["name"] = given["name"].strip()
    if "accessIPv6" in given:
        fields["access_ip_v6"] = formats.address(given["accessIPv6"])
    if "trusted_image_certificates" in given:
        named = given["trusted_image_certificates"]
        fields["trusted_certificates"] = None if named is None else tuple(named)
    if "user_data" in given:
        fields["user_data"] = request.services.view.seal.close_secrets(boot.Secrets(
            user_data=given["user_data"])).user_data
    return wants.Renewal(key=key, **fields)


def _keep_user_data(request: typing.Any, row: typing.Any, record: model.Server,
                    renewal: wants.Renewal) -> None:
    """Reads follow writes: the cell's own word of it comes later, and says the same."""
    if renewal.user_data is msgspec.UNSET:
        return
    view = request.services.view
    with view.write() as tx:
        view.servers.keep_user_data(tx, records.UserData(
            server=row.uuid, epoch=record.epoch, version=record.version,
            sealed=renewal.user_data), row.cell, record.version)


# -- the reply ------------------------------------------------------------------------------------

def _reply(request: typing.Any, given: dict, record: model.Server, password: str) -> Reply:
    """The server as an update shows it, with what a rebuild adds."""
    view, uuid = request.services.view, record.uuid
    with view.read() as tx:
        row = found.row(request, tx, uuid, shown=True)
        whole = found.document_of(request, tx, row) if request.version >= 75 else None
    if whole is not None:
        shown = orjson.loads(whole)
        shown.pop(USER_DATA, None)
    else:
        shown = rendering.render(record, "update", request.version, found.sight(request),
                                 request.place)
        if request.version >= 54:
            shown["key_name"] = record.key_name
    if request.version >= 57:
        shown["user_data"] = (view.seal.open(row.sealed).decode() if row.sealed else None)
    if request.services.conf.api.enable_instance_password:
        shown["adminPass"] = password
    return Reply({"server": shown}, headers=(
        ("Location", f"{request.place.versioned}/servers/{uuid}"),))


ACTIONS = (acting.action("rebuild", rebuild, SHAPE),)
RULES = (
    acting.rule("servers:rebuild"),
    policy.rule(TRUSTED, policy.MEMBER_OR_ADMIN, "Rebuild a server with trusted image certificates "
                "(2.63).", "POST /servers/{server_id}/action"))
