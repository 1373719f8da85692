# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's tags: all of them, or one (2.26).  Source: the public api-ref, "Server tags".

Reads come from the record in the view; changes go to the cell, and the record that it answers
is the new one.  A lock does not forbid them.
"""

import typing
import urllib.parse

from nova_cells.api import found, policy, schemas, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Shape
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.domain import tags as rules

PREFIX = "os_compute_api:os-server-tags"
PATH, ITEM = "/servers/{id}/tags", "/servers/{id}/tags/{tag}"
_READ, _WRITE = policy.READER_OR_ADMIN, policy.MEMBER_OR_ADMIN

RULES = (
    policy.rule(f"{PREFIX}:index", _READ, "List a server's tags.",
                "GET /servers/{server_id}/tags"),
    policy.rule(f"{PREFIX}:show", _READ, "Ask whether a server has a tag.",
                "GET /servers/{server_id}/tags/{tag}"),
    policy.rule(f"{PREFIX}:update_all", _WRITE, "Replace all tags of a server.",
                "PUT /servers/{server_id}/tags"),
    policy.rule(f"{PREFIX}:delete_all", _WRITE, "Remove all tags of a server.",
                "DELETE /servers/{server_id}/tags"),
    policy.rule(f"{PREFIX}:update", _WRITE, "Add a tag to a server.",
                "PUT /servers/{server_id}/tags/{tag}"),
    policy.rule(f"{PREFIX}:delete", _WRITE, "Remove a tag from a server.",
                "DELETE /servers/{server_id}/tags/{tag}"),
)
_fits = schemas.compiled(shapes.tag)


def _read(request: typing.Any, rule: str) -> tuple[str, ...]:
    return found.unpack(found.find(request, f"{PREFIX}:{rule}").record).tags


def _begin(request: typing.Any, rule: str, doing: str) -> model.Server:
    """The record, if its tags may change."""
    record = found.unpack(found.find(request, f"{PREFIX}:{rule}").record)
    rules.check(record, doing)
    return record


def _order(request: typing.Any, record: model.Server, **change: typing.Any) -> model.Server:
    """Order the change; the record after it."""
    services = request.services
    order = services.orders.change_tags(record.uuid, request.origin, services.now(), **change)
    return found.carry_out(request, order) or record


def index(request: typing.Any) -> dict:
    """All of them."""
    return {"tags": list(_read(request, "index"))}


def show(request: typing.Any) -> None:
    """204 if the server has it."""
    if request.args["tag"] not in _read(request, "show"):
        raise errors.NotFound(f"Server {request.args['id']} has no tag "
                              f"'{request.args['tag'][:255]}'")


def update_all(request: typing.Any) -> dict:
    """These tags and no others."""
    record = _begin(request, "update_all", "update tags")
    return {"tags": list(_order(request, record, add=rules.kept(request.body["tags"]),
                                whole=True).tags)}


def update(request: typing.Any) -> Reply:
    """One tag more: 201; 204 if it was there."""
    record, tag = _begin(request, "update", "update tag"), request.args["tag"]
    try:
        _fits(tag)
    except schemas.Mismatch as mismatch:
        raise errors.Invalid(f"Tag '{tag[:255]}' is invalid. It must be a non empty string "
                             f"without characters '/' and ','. Validation error message: "
                             f"{mismatch.reason}") from None
    if len(record.tags) >= rules.MOST:
        raise errors.Invalid(f"The number of tags exceeded the per-server limit {rules.MOST}")
    if tag in record.tags:
        return Reply(status=204)
    _order(request, record, add=(tag,))
    quoted = urllib.parse.quote(tag, safe="")
    where = f"{request.place.versioned}/servers/{record.uuid}/tags/{quoted}"
    return Reply(status=201, headers=(("Location", where),))


def delete(request: typing.Any) -> None:
    """One tag less."""
    record, tag = _begin(request, "delete", "delete tag"), request.args["tag"]
    if tag not in record.tags:
        raise errors.NotFound(f"Server {record.uuid} has no tag '{tag[:255]}'")
    _order(request, record, remove=(tag,))


def delete_all(request: typing.Any) -> None:
    """None left."""
    _order(request, _begin(request, "delete_all", "delete tags"), whole=True)


_all = Shape(tags=shapes.array(shapes.tag, high=rules.MOST))

ACTIONS = (
    Action("tags:index", "GET", PATH, "stale", handler=index, since="2.26"),
    Action("tags:update_all", "PUT", PATH, "refuse", handler=update_all, body=_all,
           since="2.26"),
    Action("tags:delete_all", "DELETE", PATH, "refuse", handler=delete_all, success=204,
           since="2.26"),
    Action("tags:show", "GET", ITEM, "stale", handler=show, success=204, since="2.26"),
    Action("tags:update", "PUT", ITEM, "refuse", handler=update, body=shapes.NO_BODY,
           success=201, also=(204,), since="2.26"),
    Action("tags:delete", "DELETE", ITEM, "refuse", handler=delete, success=204, since="2.26"),
)
