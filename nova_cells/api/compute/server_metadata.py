# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's metadata: all of it, or one item.  Source: the public api-ref."""

import typing

from nova_cells.api import found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Shape
from nova_cells.domain import errors
from nova_cells.domain import server as model

PREFIX = "os_compute_api:server-metadata"
PATH, ITEM = "/servers/{id}/metadata", "/servers/{id}/metadata/{key}"

RULES = (
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List a server's metadata.",
                "GET /servers/{server_id}/metadata"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show an item of metadata.",
                "GET /servers/{server_id}/metadata/{key}"),
    policy.rule(f"{PREFIX}:create", policy.MEMBER_OR_ADMIN, "Add items of metadata.",
                "POST /servers/{server_id}/metadata"),
    policy.rule(f"{PREFIX}:update_all", policy.MEMBER_OR_ADMIN, "Replace all metadata.",
                "PUT /servers/{server_id}/metadata"),
    policy.rule(f"{PREFIX}:update", policy.MEMBER_OR_ADMIN, "Set an item of metadata.",
                "PUT /servers/{server_id}/metadata/{key}"),
    policy.rule(f"{PREFIX}:delete", policy.MEMBER_OR_ADMIN, "Remove an item of metadata.",
                "DELETE /servers/{server_id}/metadata/{key}"),
)


def _read(request: typing.Any, rule: str) -> dict[str, str]:
    return found.unpack(found.find(request, f"{PREFIX}:{rule}").record).metadata


def _change(request: typing.Any, rule: str, items: dict[str, str], *,
            remove: tuple[str, ...] = (), whole: bool = False) -> model.Server:
    """Order the change; the record after it."""
    row = found.find(request, f"{PREFIX}:{rule}")
    found.unlocked(request, row)
    record, services = found.unpack(row.record), request.services
    if any(key not in record.metadata for key in remove):
        raise errors.NotFound("Metadata item was not found")
    with services.view.read() as tx:
        limit = services.view.quota.limits(tx, row.project_id, row.user_id)["metadata_items"]
    after = len(items if whole else {**record.metadata, **items})
    if 0 <= limit < after and not remove:
        raise errors.OverLimit(f"Maximum number of metadata items exceeds {limit}")
    order = services.orders.change_metadata(row.uuid, items, remove, whole, limit,
                                            request.origin, services.now())
    return found.carry_out(request, order) or record


def index(request: typing.Any) -> dict:
    """All of it."""
    return {"metadata": _read(request, "index")}


def show(request: typing.Any) -> dict:
    """One item."""
    key, items = request.args["key"], _read(request, "show")
    if key not in items:
        raise errors.NotFound("Metadata item was not found")
    return {"meta": {key: items[key]}}


def create(request: typing.Any) -> dict:
    """Add items, or change those that are there."""
    return {"metadata": _change(request, "create", request.body["metadata"]).metadata}


def update_all(request: typing.Any) -> dict:
    """These items and no others."""
    items = request.body["metadata"]
    return {"metadata": _change(request, "update_all", items, whole=True).metadata}


def update(request: typing.Any) -> dict:
    """One item."""
    items = request.body["meta"]
    if request.args["key"] not in items:
        raise errors.Invalid("Request body and URI mismatch")
    _change(request, "update", items)
    return {"meta": items}


def delete(request: typing.Any) -> None:
    """One item less."""
    _change(request, "delete", {}, remove=(request.args["key"],))


_all = Shape(metadata=shapes.metadata)
_one = Shape(meta={**shapes.metadata, "minProperties": 1, "maxProperties": 1})

ACTIONS = (
    Action("metadata:index", "GET", PATH, "stale", handler=index),
    Action("metadata:create", "POST", PATH, "refuse", handler=create, body=_all),
    Action("metadata:update_all", "PUT", PATH, "refuse", handler=update_all, body=_all),
    Action("metadata:show", "GET", ITEM, "stale", handler=show),
    Action("metadata:update", "PUT", ITEM, "refuse", handler=update, body=_one),
    Action("metadata:delete", "DELETE", ITEM, "refuse", handler=delete, success=204),
)
