# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Shares of the file service that a server has mounted (2.97).

No hypervisor here can mount one: lists are empty, one by its id is not found, and a request to
attach one is refused once all else is well.  Source: the public api-ref, "Server shares".
"""

import typing

from nova_cells.api import acting, found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errors, lifecycle

PREFIX = acting.API + "os-server-shares"
PATH, ITEM = "/servers/{id}/shares", "/servers/{id}/shares/{share}"
_OPERATION, _OF_ONE = "/servers/{server_id}/shares", "/servers/{server_id}/shares/{share_id}"

RULES = (
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List a server's shares.",
                f"GET {_OPERATION}"),
    policy.rule(f"{PREFIX}:create", policy.MEMBER_OR_ADMIN, "Attach a share to a server.",
                f"POST {_OPERATION}"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show a share of a server.",
                f"GET {_OF_ONE}"),
    policy.rule(f"{PREFIX}:delete", policy.MEMBER_OR_ADMIN, "Detach a share from a server.",
                f"DELETE {_OF_ONE}"),
)


def _must_be(record: typing.Any, doing: str, *states: str) -> None:
    state = lifecycle.vm_state(record)
    if state not in states:
        raise errors.Conflict(f"Cannot '{doing}' instance {record.uuid} while it is in vm_state "
                              f"{state}")


def _missing(request: typing.Any) -> errors.NotFound:
    return errors.NotFound(f"Share {request.args['share'][:255]} could not be found.")


def index(request: typing.Any) -> dict:
    """None."""
    found.find(request, f"{PREFIX}:index")
    return {"shares": []}


def create(request: typing.Any) -> typing.NoReturn:
    """Refused: no hypervisor can."""
    row = found.find(request, f"{PREFIX}:create")
    _must_be(found.unpack(row.record), "create share", "stopped")
    raise errors.Conflict("Feature not supported because either compute or instance are not "
                          "configured correctly.")


def show(request: typing.Any) -> typing.NoReturn:
    """There is none."""
    found.find(request, f"{PREFIX}:show")
    raise _missing(request)


def delete(request: typing.Any) -> typing.NoReturn:
    """There is none."""
    row = found.find(request, f"{PREFIX}:delete")
    _must_be(found.unpack(row.record), "delete share", "stopped", "error")
    raise _missing(request)


_share = Shape(share=Shape(share_id=shapes.uuid, tag=optional(
    shapes.string(1, 255, pattern="^[a-zA-Z0-9-]*$"))))
_nothing = Query(strict="2.97")

ACTIONS = (
    Action("shares:index", "GET", PATH, "stale", handler=index, query=_nothing, since="2.97"),
    Action("shares:create", "POST", PATH, "serve", handler=create, body=_share, success=201,
           since="2.97"),
    Action("shares:show", "GET", ITEM, "stale", handler=show, query=_nothing, since="2.97"),
    Action("shares:delete", "DELETE", ITEM, "serve", handler=delete, since="2.97"),
)
