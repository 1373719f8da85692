# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes and snapshots of the volume service, as the Compute API showed them.

Source: the public api-ref, "Volume extension" (deprecated).
"""

import typing

from nova_cells.api import acting, shapes
from nova_cells.api.forwarding import VOLUME, ask, page, part, row, rule
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Query, Shape, optional

PREFIX = acting.API + "os-volumes"
VOLUMES, SNAPSHOTS = "/os-volumes", "/os-snapshots"

RULES = (
    rule(f"{PREFIX}:list", False, "List volumes", "GET /os-volumes"),
    rule(f"{PREFIX}:create", True, "Create a volume", "POST /os-volumes"),
    rule(f"{PREFIX}:detail", False, "List volumes in detail", "GET /os-volumes/detail"),
    rule(f"{PREFIX}:show", False, "Show a volume", "GET /os-volumes/{volume_id}"),
    rule(f"{PREFIX}:delete", True, "Delete a volume", "DELETE /os-volumes/{volume_id}"),
    rule(f"{PREFIX}:snapshots:list", False, "List snapshots", "GET /os-snapshots"),
    rule(f"{PREFIX}:snapshots:create", True, "Create a snapshot", "POST /os-snapshots"),
    rule(f"{PREFIX}:snapshots:detail", False, "List snapshots in detail",
         "GET /os-snapshots/detail"),
    rule(f"{PREFIX}:snapshots:show", False, "Show a snapshot", "GET /os-snapshots/{snapshot_id}"),
    rule(f"{PREFIX}:snapshots:delete", True, "Delete a snapshot",
         "DELETE /os-snapshots/{snapshot_id}"),
)


def _volume(given: dict) -> dict:
    held = [{"id": given["id"], "volumeId": given["id"], "serverId": one["server_id"],
             **({"device": one["device"]} if one.get("device") else {})}
            for one in given.get("attachments", ())[:1]]
    return {"id": given["id"], "status": given["status"], "size": given["size"],
            "availabilityZone": given.get("availability_zone"),
            "createdAt": given.get("created_at"), "attachments": held or [{}],
            "displayName": given.get("name"), "displayDescription": given.get("description"),
            "volumeType": given.get("volume_type"), "snapshotId": given.get("snapshot_id"),
            "metadata": given.get("metadata") or {}}


def _snapshot(given: dict) -> dict:
    return {"id": given["id"], "volumeId": given["volume_id"], "status": given["status"],
            "size": given["size"], "createdAt": given.get("created_at"),
            "displayName": given.get("name"), "displayDescription": given.get("description")}


def _list(key: str, show: typing.Callable[[dict], dict]) -> typing.Callable:
    def index(request: typing.Any) -> dict:
        found = ask(request, VOLUME, "GET", f"/{key}/detail")[key]
        return {key: [show(one) for one in page(request, found)]}
    return index


def _path(request: typing.Any, kind: str) -> tuple[str, str]:
    """Where one is, and what is said if it is not."""
    uuid = request.args["id"]
    return (f"/{kind}s/{part(uuid)}",
            f"{kind.capitalize()} {uuid[:255]} could not be found.")


def _show(kind: str, show: typing.Callable[[dict], dict]) -> typing.Callable:
    def one(request: typing.Any) -> dict:
        path, missing = _path(request, kind)
        return {kind: show(ask(request, VOLUME, "GET", path, missing=missing)[kind])}
    return one


def _delete(kind: str) -> typing.Callable:
    def delete(request: typing.Any) -> None:
        path, missing = _path(request, kind)
        ask(request, VOLUME, "DELETE", path, missing=missing)
    return delete


def create_volume(request: typing.Any) -> Reply:
    """A volume more."""
    given = request.body["volume"]
    if given.get("snapshot_id") is not None:
        uuid = given["snapshot_id"]
        ask(request, VOLUME, "GET", f"/snapshots/{part(uuid)}",
            missing=f"Snapshot {uuid[:255]} could not be found.")
    names = {"display_name": "name", "display_description": "description"}
    wanted = {names.get(key, key): value for key, value in given.items()}
    wanted["size"] = int(given["size"])
    made = ask(request, VOLUME, "POST", "/volumes", {"volume": wanted})["volume"]
    where = f"{request.place.versioned}{VOLUMES}/{made['id']}"
    return Reply({"volume": _volume(made)}, headers=(("Location", where),))


def create_snapshot(request: typing.Any) -> dict:
    """A snapshot of a volume."""
    given = request.body["snapshot"]
    made = ask(request, VOLUME, "POST", "/snapshots", {"snapshot": {
        "volume_id": given["volume_id"], "force": shapes.truth(given.get("force", False)),
        "name": given.get("display_name"), "description": given.get("display_description")}},
        missing=f"Volume {given['volume_id'][:255]} could not be found.")
    return {"snapshot": _snapshot(made["snapshot"])}


_text = optional(shapes.string())
_create = Shape(volume=Shape(
    size=shapes.positive, volume_type=_text, metadata=optional({"type": "object"}),
    snapshot_id=_text, availability_zone=_text, display_name=_text, display_description=_text))
_snap = Shape(snapshot=Shape(volume_id=shapes.string(), force=optional(shapes.boolean),
                             display_name=_text, display_description=_text))
_page = Query(limit=optional(shapes.non_negative), offset=optional(shapes.non_negative))
_volumes, _snapshots = _list("volumes", _volume), _list("snapshots", _snapshot)

ACTIONS = (
    row("volumes:index", "GET", VOLUMES, f"{PREFIX}:list", _volumes, query=_page),
    row("volumes:create", "POST", VOLUMES, f"{PREFIX}:create", create_volume, body=_create),
    row("volumes:detail", "GET", VOLUMES + "/detail", f"{PREFIX}:detail", _volumes, query=_page),
    row("volumes:show", "GET", VOLUMES + "/{id}", f"{PREFIX}:show", _show("volume", _volume)),
    row("volumes:delete", "DELETE", VOLUMES + "/{id}", f"{PREFIX}:delete", _delete("volume"),
        success=202),
    row("snapshots:index", "GET", SNAPSHOTS, f"{PREFIX}:snapshots:list", _snapshots, query=_page),
    row("snapshots:create", "POST", SNAPSHOTS, f"{PREFIX}:snapshots:create", create_snapshot,
        body=_snap),
    row("snapshots:detail", "GET", SNAPSHOTS + "/detail", f"{PREFIX}:snapshots:detail",
        _snapshots, query=_page),
    row("snapshots:show", "GET", SNAPSHOTS + "/{id}", f"{PREFIX}:snapshots:show",
        _show("snapshot", _snapshot)),
    row("snapshots:delete", "DELETE", SNAPSHOTS + "/{id}", f"{PREFIX}:snapshots:delete",
        _delete("snapshot"), success=202),
)
