# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Flavors: list, show, create, describe (2.55), delete.

A flavor cannot be changed but for its description; servers keep a copy of the one that they
were made from.
"""

import typing

from nova_cells.api import paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.db.view import flavors as stored
from nova_cells.domain import errors
from nova_cells.domain import server as model

MANAGE = "os_compute_api:os-flavor-manage"
SPECS_INDEX = "os_compute_api:os-flavor-extra-specs:index"
LARGEST = 2**31 - 1

RULES = (
    policy.rule(f"{MANAGE}:create", policy.ADMIN, "Create a flavor", "POST /flavors"),
    policy.rule(f"{MANAGE}:update", policy.ADMIN, "Describe a flavor",
                "PUT /flavors/{flavor_id}"),
    policy.rule(f"{MANAGE}:delete", policy.ADMIN, "Delete a flavor",
                "DELETE /flavors/{flavor_id}"),
)

# -- documents ------------------------------------------------------------------------------------


def links(request: typing.Any, flavorid: str) -> list[dict[str, str]]:
    """Where a flavor is: with and without the version."""
    place = request.place
    return [{"rel": "self", "href": f"{place.versioned}/flavors/{flavorid}"},
            {"rel": "bookmark", "href": f"{place.bare}/flavors/{flavorid}"}]


def summary(request: typing.Any, flavor: model.Flavor) -> dict[str, typing.Any]:
    """A flavor as the short list shows it."""
    document: dict[str, typing.Any] = {"id": flavor.id, "name": flavor.name,
                                       "links": links(request, flavor.id)}
    if request.version >= 55:
        document["description"] = flavor.description
    return document


def document(request: typing.Any, flavor: model.Flavor) -> dict[str, typing.Any]:
    """A flavor whole."""
    whole = summary(request, flavor) | {
        "ram": flavor.ram_mb, "vcpus": flavor.vcpus, "disk": flavor.disk_gb,
        "swap": flavor.swap_mb or ("" if request.version < 75 else 0),
        "rxtx_factor": flavor.rxtx_factor, "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "OS-FLV-DISABLED:disabled": flavor.disabled, "os-flavor-access:is_public": flavor.public}
    if request.version >= 61 and request.allows(SPECS_INDEX):
        whole["extra_specs"] = flavor.extra_specs
    return whole


def find(request: typing.Any, tx: typing.Any, flavorid: str) -> model.Flavor:
    """A flavor that the asker may see: public, given to the project, or any for an admin."""
    project = None if request.admin else request.context.project_id or ""
    return request.services.view.flavors.get(tx, flavorid, project)


# -- reading --------------------------------------------------------------------------------------

def _number(request: typing.Any, name: str) -> int:
    given = request.param(name, "0")
    if not given.isascii() or not given.isdigit() or len(given) > 10:
        raise errors.Invalid(f"Invalid {name} filter [{given[:64]}]")
    return min(int(given), LARGEST)


def _public(request: typing.Any) -> bool | None:
    """The asker's own and the public ones; an admin may ask for the private, or for all."""
    given = request.param("is_public")
    if not request.admin or given is None:
        return True
    if given.lower() == "none":
        return None
    if given.lower() in (word.lower() for word in shapes.TRUE_WORDS):
        return True
    if given.lower() in (word.lower() for word in shapes.FALSE_WORDS):
        return False
    raise errors.Invalid(f"Invalid is_public filter [{given[:64]}]")


def _query(request: typing.Any, limit: int) -> stored.Query:
    direction = request.param("sort_dir", "asc")
    if direction not in ("asc", "desc"):
        raise errors.Invalid(f"Unknown sort direction, must be 'asc' or 'desc', not "
                             f"{direction[:64]!r}.")
    return stored.Query(
        public=_public(request), project=request.context.project_id or "",
        min_ram=_number(request, "minRam"), min_disk=_number(request, "minDisk"),
        sort_key=request.param("sort_key", "flavorid"), descending=direction == "desc",
        limit=limit, marker=request.param("marker"))


def _list(request: typing.Any, path: str, shown: typing.Callable) -> dict[str, typing.Any]:
    limit = paging.limit(request)
    with request.services.view.read() as tx:
        page = request.services.view.flavors.list(tx, _query(request, limit))
    body: dict[str, typing.Any] = {"flavors": [shown(request, flavor) for flavor in page]}
    following = paging.following(request, path, [flavor.id for flavor in page], limit)
    if following:
        body["flavors_links"] = following
    return body


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The short list."""
    return _list(request, "/flavors", summary)


def detail(request: typing.Any) -> dict[str, typing.Any]:
    """The long list."""
    return _list(request, "/flavors/detail", document)


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One flavor."""
    with request.services.view.read() as tx:
        flavor = find(request, tx, request.args["id"])
    return {"flavor": document(request, flavor)}


# -- changing -------------------------------------------------------------------------------------

def create(request: typing.Any) -> dict[str, typing.Any]:
    """A new flavor; without an id it gets a uuid."""
    given = request.body["flavor"]
    flavorid = given.get("id")
    flavor = model.Flavor(
        id=request.services.ids.uuid() if flavorid is None else str(flavorid),
        name=given["name"], vcpus=int(given["vcpus"]), ram_mb=int(given["ram"]),
        disk_gb=int(given["disk"]), swap_mb=int(given.get("swap", 0)),
        ephemeral_gb=int(given.get("OS-FLV-EXT-DATA:ephemeral", 0)),
        rxtx_factor=_factor(given.get("rxtx_factor", 1.0)),
        public=shapes.truth(given.get("os-flavor-access:is_public", True)),
        description=given.get("description"))
    with request.services.view.write() as tx:
        request.services.view.flavors.create(tx, flavor, request.services.now())
    return {"flavor": document(request, flavor)}


def _factor(given: float | str) -> float:
    factor = float(given)
    if not 0 < factor <= 3.40282e+38:
        raise errors.Invalid(f"Invalid input for field/attribute rxtx_factor. Value: "
                             f"{str(given)[:64]}. It must be larger than 0 and at most "
                             f"3.40282e+38.")
    return factor


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Another description, or none."""
    with request.services.view.write() as tx:
        flavor = request.services.view.flavors.describe(
            tx, request.args["id"], request.body["flavor"]["description"])
    return {"flavor": document(request, flavor)}


def delete(request: typing.Any) -> None:
    """Gone from the catalogue."""
    with request.services.view.write() as tx:
        request.services.view.flavors.delete(tx, request.args["id"])


# -- shapes ---------------------------------------------------------------------------------------

_amount, _positive = shapes.integer(0, LARGEST), shapes.integer(1, LARGEST)
_flavorid = {"type": ["string", "number", "null"], "minLength": 1, "maxLength": 255,
             "pattern": "^(?! )[a-zA-Z0-9. _-]+(?<! )$"}
_rxtx = {"type": ["number", "string"], "maxLength": 40, "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_description = shapes.string(high=65535) | {"type": ["string", "null"], "format": "description"}

_create = Shape(flavor=Shape(
    {"OS-FLV-EXT-DATA:ephemeral": optional(_amount),
     "os-flavor-access:is_public": optional(shapes.boolean)},
    name=shapes.name, id=optional(_flavorid), ram=_positive, vcpus=_positive, disk=_amount,
    swap=optional(_amount), rxtx_factor=optional(_rxtx),
).since("2.55", description=optional(_description)))
_update = Shape(flavor=Shape(description=_description))
_listing = Query(paging.PARAMETERS, strict="2.75", is_public=optional(shapes.string()),
                 minRam=optional(shapes.string()), minDisk=optional(shapes.string()),
                 sort_key=optional(shapes.string()), sort_dir=optional(shapes.string()))
_nothing = Query(strict="2.75")

ACTIONS = (
    Action("flavors:index", "GET", "/flavors", "serve", handler=index, query=_listing),
    Action("flavors:detail", "GET", "/flavors/detail", "serve", handler=detail, query=_listing),
    Action("flavors:show", "GET", "/flavors/{id}", "serve", handler=show, query=_nothing),
    Action("flavors:create", "POST", "/flavors", "serve", policy=f"{MANAGE}:create", handler=create,
           body=_create),
    Action("flavors:update", "PUT", "/flavors/{id}", "serve", policy=f"{MANAGE}:update",
           handler=update, body=_update, since="2.55"),
    Action("flavors:delete", "DELETE", "/flavors/{id}", "serve", policy=f"{MANAGE}:delete",
           handler=delete, success=202),
)
