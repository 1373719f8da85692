# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's volumes: list, show, attach, swap, change, detach.

What is shown is the server's record.  An attach is claimed at the top first, for cells know
nothing of one another's volumes, then written down and carried out in the server's cell.
Source: the public api-ref, "Servers with volume attachments".
"""

import typing

import msgspec

from nova_cells.api import found, paging, policy, server_volumes, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.db import again
from nova_cells.db.view import claims
from nova_cells.domain import errands, errors, lifecycle
from nova_cells.domain import server as model

PREFIX = "os_compute_api:os-volumes-attachments"
_LIST, _ONE = "/servers/{id}/os-volume_attachments", "/servers/{id}/os-volume_attachments/{volume}"


def _rule(name: str, check: str, words: str, method: str, path: str) -> typing.Any:
    return policy.rule(f"{PREFIX}:{name}", check, words,
                       f"{method} {path.replace('{id}', '{server_id}')}")


RULES = (
    _rule("index", policy.READER_OR_ADMIN, "List a server's volumes.", "GET", _LIST),
    _rule("show", policy.READER_OR_ADMIN, "Show one of them.", "GET", _ONE),
    _rule("create", policy.MEMBER_OR_ADMIN, "Attach a volume.", "POST", _LIST),
    _rule("update", policy.MEMBER_OR_ADMIN, "Say whether a volume goes with its server (2.85).",
          "PUT", _ONE),
    _rule("swap", policy.SERVICE, "Put another volume in its place; for the volume service.",
          "PUT", _ONE),
    _rule("delete", policy.MEMBER_OR_ADMIN, "Detach a volume.", "DELETE", _ONE),
)


# -- reading --------------------------------------------------------------------------------------

def _shown(one: model.Attachment, server: str, version: int) -> dict[str, typing.Any]:
    shown: dict[str, typing.Any] = {"volumeId": one.volume_id, "serverId": server}
    if version < 89:
        shown["id"] = one.volume_id
    if one.device:
        shown["device"] = one.device
    if version >= 70:
        shown["tag"] = one.tag
    if version >= 79:
        shown["delete_on_termination"] = one.delete_on_termination
    if version >= 89:
        shown |= {"attachment_id": one.attachment_id, "bdm_uuid": one.errand}
    return shown


def _visible(record: model.Server, version: int) -> list[model.Attachment]:
    """From 2.89 only those that the volume service has given an id."""
    return [one for one in record.attachments if version < 89 or one.attachment_id]


def index(request: typing.Any) -> dict[str, typing.Any]:
    """All of them."""
    row = found.find(request, f"{PREFIX}:index")
    shown = [_shown(one, row.uuid, request.version)
             for one in _visible(found.unpack(row.record), request.version)]
    start = int(request.param("offset") or 0)
    most = paging.limit(request) or request.services.conf.api.max_limit
    return {"volumeAttachments": shown[start:start + most]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One of them, by its volume."""
    row = found.find(request, f"{PREFIX}:show")
    one = _attachment(request, found.unpack(row.record), request.version)
    return {"volumeAttachment": _shown(one, row.uuid, request.version)}


def _attachment(request: typing.Any, record: model.Server, version: int = 1) -> model.Attachment:
    volume = request.args["volume"]
    for one in _visible(record, version):
        if one.volume_id == volume:
            return one
    raise errors.NotFound(f"Instance {record.uuid} is not attached to volume {volume[:64]}")


# -- attaching ------------------------------------------------------------------------------------

def create(request: typing.Any) -> dict[str, typing.Any] | Reply:
    """Attach a volume.  Up to 2.100 the answer says which device it will be."""
    row = found.find(request, f"{PREFIX}:create")
    given = request.body["volumeAttachment"]
    record = found.unpack(row.record)
    _may(request, row, record, "attach_volume")
    server_volumes.served(request)
    volume = request.services.volumes.show(given["volumeId"], request.context.auth_token)
    _suits(record, volume, given)
    errand = request.services.ids.uuid()
    wanted = model.Attachment(
        volume_id=volume.id, errand=errand, device=given.get("device"), tag=given.get("tag"),
        delete_on_termination=shapes.truth(given.get("delete_on_termination", False)),
        size=volume.size, multiattach=volume.multiattach)
    claim = claims.Claim(
        uuid=errand, errand=errand, server=row.uuid, volume=volume.id,
        slot=row.uuid if volume.multiattach else "", asked_at=request.services.now())
    done = claimed(request, claim, lambda: server_volumes.usable(request, volume),
                   lambda: _run(request, row, "attach_volume", wanted))
    if request.version >= 101:
        return Reply(status=202)
    return {"volumeAttachment": _answer(done, wanted, row.uuid, request.version)}


def _answer(done: typing.Any, wanted: model.Attachment, server: str,
            version: int) -> dict[str, typing.Any]:
    """What an attach is answered with: always with an id, and with a device or null."""
    known = done.attachment if isinstance(done, errands.Errand) and done.attachment else wanted
    return {**_shown(known, server, min(version, 88)), "device": known.device}


def _may(request: typing.Any, row: typing.Any, record: model.Server, verb: str) -> None:
    """Raise unless the server is in a state for this, and not locked."""
    if record.rest in ("shelved", "shelved_offloaded") and request.version < 20:
        raise errors.Conflict(f"Cannot '{verb}' instance {record.uuid} while it is in vm_state "
                              f"{lifecycle.vm_state(record)}")
    found.unlocked(request, row)
    errands.may_begin(verb, record)


def _suits(record: model.Server, volume: typing.Any, given: dict[str, typing.Any]) -> None:
    """Raise for what a server without a host cannot have."""
    if record.rest != "shelved_offloaded":
        return
    if given.get("tag"):
        raise errors.Invalid("Tagged volume attachment is not supported for shelved-offloaded "
                             "instances.")
    if volume.multiattach:
        raise errors.Invalid("Attaching multiattach volumes is not supported for "
                             "shelved-offloaded instances.")


def claimed(request: typing.Any, claim: claims.Claim, check: typing.Callable[[], None],
            do: typing.Callable[[], typing.Any]) -> typing.Any:
    """Do it with the volume claimed.  The claim goes if the cell refuses; if it does not answer,
    it may have happened, so the claim stays until a collector has looked."""
    view = request.services.view
    again.decide(_taken, view, claim)
    try:
        check()
        done = do()
    except errors.CellDown:
        raise
    except errors.Problem:
        again.decide(_over, view, claim.uuid)
        raise
    again.decide(_settled, view, claim.uuid)
    return done


def _taken(view: typing.Any, claim: claims.Claim) -> None:
    with view.write() as tx:
        view.claims.take(tx, claim)


def _over(view: typing.Any, uuid: str) -> None:
    with view.write() as tx:
        view.claims.drop(tx, uuid)


def _settled(view: typing.Any, uuid: str) -> None:
    with view.write() as tx:
        view.claims.settle(tx, uuid)


def _run(request: typing.Any, row: typing.Any, verb: str, attachment: model.Attachment,
         **options: str) -> typing.Any:
    services = request.services
    return found.carry_out(request, services.orders.run(
        row.uuid, verb, errands.Errand(
            uuid=attachment.errand, server=row.uuid, kind=errands.VOLUME,
            subject=attachment.volume_id, attachment=attachment), request.origin,
        options=options))


# -- changing -------------------------------------------------------------------------------------

def update(request: typing.Any) -> None:
    """Another volume in its place, or (2.85) whether it goes with its server."""
    given = request.body["volumeAttachment"]
    with request.services.view.read() as tx:
        row = found.row(request, tx, request.args["id"])
    record = found.unpack(row.record)
    swaps = request.version < 85 or request.args["volume"] != given["volumeId"]
    if swaps:
        request.authorize(f"{PREFIX}:swap", {})
    else:
        request.authorize(f"{PREFIX}:update", found.target(row))
    if request.version >= 85:
        _change(request, row, _attachment(request, record), given)
    if swaps:
        _swap(request, row, record, given["volumeId"])


def _change(request: typing.Any, row: typing.Any, one: model.Attachment,
            given: dict[str, typing.Any]) -> None:
    fixed = {"id": one.volume_id, "serverId": row.uuid, "device": one.device, "tag": one.tag}
    for name, value in fixed.items():
        if name in given and given[name] != value:
            raise errors.Invalid(f"The {name} property is not mutable")
    if "delete_on_termination" in given:
        goes = shapes.truth(given["delete_on_termination"])
        if goes != one.delete_on_termination:
            _run(request, row, "change_volume",
                 msgspec.structs.replace(one, delete_on_termination=goes))


def _swap(request: typing.Any, row: typing.Any, record: model.Server, wanted: str) -> None:
    """The volume service asks for it, when it moves a volume that is in use."""
    room, token = request.services.volumes, request.context.auth_token
    old = room.show(request.args["volume"], token)
    if not old.migration:
        raise errors.Conflict(f"volume {old.id} is not migrating; this API should only be called "
                              f"by Cinder")
    try:
        new = room.show(wanted, token)
    except errors.NotFound as problem:
        raise errors.Invalid(problem.message) from None
    found.unlocked(request, row)
    errands.may_begin("swap_volume", record)
    if not any(use.server == row.uuid for use in old.uses):
        raise errors.Invalid("Invalid volume: Old volume is attached to a different instance.")
    if new.uses:
        raise errors.Invalid("Invalid volume: New volume must be detached in order to swap.")
    if new.size < old.size:
        raise errors.Invalid("Invalid volume: New volume must be the same size or larger.")
    if len(old.uses) > 1:
        raise errors.Invalid("Swapping multi-attach volumes with more than one read/write "
                             "attachment is not supported.")
    one = _attachment(request, record)
    claim = claims.Claim(
        uuid=request.services.ids.uuid(), errand=one.errand, server=row.uuid, kind="swap",
        volume=new.id, asked_at=request.services.now())
    claimed(request, claim, lambda: None,
            lambda: _run(request, row, "swap_volume", one, volume=new.id))


# -- detaching ------------------------------------------------------------------------------------

def delete(request: typing.Any) -> None:
    """Detach a volume; not the one that the server boots from."""
    row = found.find(request, f"{PREFIX}:delete")
    record = found.unpack(row.record)
    if record.rest in ("shelved", "shelved_offloaded") and request.version < 20:
        _may(request, row, record, "detach_volume")
    one = _attachment(request, record)
    if one.root:
        raise errors.Invalid("Cannot detach a root device volume")
    _may(request, row, record, "detach_volume")
    _run(request, row, "detach_volume", one)


_device = {"type": ["string", "null"], "pattern": "(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$"}
_tag = shapes.string(1, 60, pattern="^[^,/]*$")
_create = Shape(volumeAttachment=Shape(
    volumeId=shapes.uuid, device=optional(_device),
).since("2.49", tag=optional(_tag)).since("2.79", delete_on_termination=optional(shapes.boolean)))
_update = Shape(volumeAttachment=Shape(volumeId=shapes.uuid).since(
    "2.85", device=optional(_device), tag=optional(_tag), serverId=optional(shapes.uuid),
    delete_on_termination=optional(shapes.boolean), id=optional(shapes.uuid)))
_pages = {"limit": optional(shapes.non_negative), "offset": optional(shapes.non_negative)}

ACTIONS = (
    Action("volumes:index", "GET", _LIST, "stale", handler=index,
           query=Query(_pages, strict="2.75")),
    Action("volumes:show", "GET", _ONE, "stale", handler=show),
    Action("volumes:create", "POST", _LIST, "refuse", handler=create, body=_create),
    Action("volumes:update", "PUT", _ONE, "refuse", handler=update, body=_update, success=202),
    Action("volumes:delete", "DELETE", _ONE, "refuse", handler=delete, success=202),
)
