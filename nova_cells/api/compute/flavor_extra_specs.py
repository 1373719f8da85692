# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Extra specs of a flavor: list, show, set, remove.  From 2.86 on they are checked."""

import typing

from nova_cells.api import policy
from nova_cells.api.catalogue import Action
from nova_cells.api.compute import flavors
from nova_cells.api.shapes import Query, Shape
from nova_cells.db.view import flavors as stored
from nova_cells.domain import errors, extra_specs

PREFIX = "os_compute_api:os-flavor-extra-specs"
LIST, ITEM = "/flavors/{flavor_id}/os-extra_specs", "/flavors/{flavor_id}/os-extra_specs/{id}"

RULES = (
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List extra specs, and see them in "
                "flavors", f"GET {LIST}", "GET /flavors/detail", "GET /flavors/{flavor_id}"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show an extra spec", f"GET {ITEM}"),
    policy.rule(f"{PREFIX}:create", policy.ADMIN, "Set extra specs", f"POST {LIST}"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Set one extra spec", f"PUT {ITEM}"),
    policy.rule(f"{PREFIX}:delete", policy.ADMIN, "Remove an extra spec", f"DELETE {ITEM}"),
)


def _specs(request: typing.Any) -> dict[str, str]:
    with request.services.view.read() as tx:
        return flavors.find(request, tx, request.args["flavor_id"]).extra_specs


def _set(request: typing.Any, given: dict[str, typing.Any]) -> dict[str, str]:
    specs = {key: str(value) for key, value in given.items()}
    if request.version >= 86:
        extra_specs.check(specs)
    with request.services.view.write() as tx:
        request.services.view.flavors.set_specs(tx, request.args["flavor_id"], specs)
    return specs


def index(request: typing.Any) -> dict[str, typing.Any]:
    """All of them."""
    return {"extra_specs": _specs(request)}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One of them."""
    key, specs = request.args["id"], _specs(request)
    if key not in specs:
        raise stored.no_spec(request.args["flavor_id"], key)
    return {key: specs[key]}


def create(request: typing.Any) -> dict[str, typing.Any]:
    """Set some; others stay."""
    return {"extra_specs": _set(request, request.body["extra_specs"])}


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Set one, which the address and the body name alike."""
    if request.args["id"] not in request.body:
        raise errors.Invalid("Request body and URI mismatch")
    return _set(request, request.body)


def delete(request: typing.Any) -> None:
    """Remove one."""
    with request.services.view.write() as tx:
        request.services.view.flavors.delete_spec(tx, request.args["flavor_id"],
                                                  request.args["id"])


#: Numbers are taken, too, and kept as text.
_some: dict[str, typing.Any] = {
    "type": "object", "additionalProperties": False,
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "number"],
                                                        "maxLength": 255}}}
_one = Shape(keywords=_some | {"minProperties": 1, "maxProperties": 1})
_nothing = Query(strict="2.75")

ACTIONS = (
    Action("flavor-extra-specs:index", "GET", LIST, "serve", policy=f"{PREFIX}:index",
           handler=index, query=_nothing),
    Action("flavor-extra-specs:create", "POST", LIST, "serve", policy=f"{PREFIX}:create",
           handler=create, body=Shape(extra_specs=_some)),
    Action("flavor-extra-specs:show", "GET", ITEM, "serve", policy=f"{PREFIX}:show", handler=show,
           query=_nothing),
    Action("flavor-extra-specs:update", "PUT", ITEM, "serve", policy=f"{PREFIX}:update",
           handler=update, body=_one),
    Action("flavor-extra-specs:delete", "DELETE", ITEM, "serve", policy=f"{PREFIX}:delete",
           handler=delete),
)
