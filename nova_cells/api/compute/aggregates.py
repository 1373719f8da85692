# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Host aggregates, which make availability zones.  Source: the public api-ref, "Host aggregates".

They are the API cell's own; the cells of their hosts follow (``api.regrouping``).
"""

import typing

from nova_cells.api import fleet, policy, regrouping, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import aggregates as model
from nova_cells.domain import errors

PREFIX, IMAGES = "os_compute_api:os-aggregates", "compute:aggregates:images"
LIST, ITEM, ACTION = "/os-aggregates", "/os-aggregates/{id}", "/os-aggregates/{id}/action"
LARGEST = 2**31 - 1

RULES = (
    policy.rule(f"{PREFIX}:index", policy.ADMIN, "List host aggregates", f"GET {LIST}"),
    policy.rule(f"{PREFIX}:show", policy.ADMIN, "Show a host aggregate", f"GET {ITEM}"),
    policy.rule(f"{PREFIX}:create", policy.ADMIN, "Create a host aggregate", f"POST {LIST}"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Rename a host aggregate, or change its zone",
                f"PUT {ITEM}"),
    policy.rule(f"{PREFIX}:delete", policy.ADMIN, "Delete a host aggregate", f"DELETE {ITEM}"),
    policy.rule(f"{PREFIX}:add_host", policy.ADMIN, "Add a host to an aggregate",
                f"POST {ACTION} (add_host)"),
    policy.rule(f"{PREFIX}:remove_host", policy.ADMIN, "Remove a host from an aggregate",
                f"POST {ACTION} (remove_host)"),
    policy.rule(f"{PREFIX}:set_metadata", policy.ADMIN, "Set metadata of an aggregate",
                f"POST {ACTION} (set_metadata)"),
    policy.rule(IMAGES, policy.ADMIN, "Have the hosts of an aggregate cache images",
                f"POST {ITEM}/images"),
)


def _brief(request: typing.Any, one: typing.Any) -> dict[str, typing.Any]:
    """What the answer to a create shows."""
    shown = {"id": one.id, "name": one.name, "availability_zone": one.zone,
             "created_at": fleet.moment(one.created_at), "deleted": False, "deleted_at": None,
             "updated_at": fleet.moment(one.updated_at) if one.updated_at else None}
    return shown | ({"uuid": one.uuid} if request.version >= 41 else {})


def _document(request: typing.Any, one: typing.Any) -> dict[str, typing.Any]:
    return _brief(request, one) | {"hosts": list(one.names), "metadata": one.metadata}


def _number(request: typing.Any) -> int:
    given = request.args["id"]
    if not given.isascii() or not given.lstrip("-").isdecimal():
        raise errors.Invalid(f"Invalid input received: id must be an integer, not "
                             f"{given[:64]!r}.")
    return min(int(given[:12]), LARGEST)


def index(request: typing.Any) -> dict[str, typing.Any]:
    """All of them."""
    with request.services.view.read() as tx:
        return {"aggregates": [_document(request, one)
                               for one in request.services.view.aggregates.all(tx)]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One."""
    with request.services.view.read() as tx:
        return {"aggregate": _document(request, request.services.view.aggregates.get(
            tx, _number(request)))}


def create(request: typing.Any) -> dict[str, typing.Any]:
    """A new one, without hosts."""
    given, services = request.body["aggregate"], request.services
    store, zone, now = services.view.aggregates, given.get("availability_zone"), services.now()
    with services.view.write() as tx:
        number = store.create(tx, services.ids.uuid(), given["name"].strip(), now)
        if zone is not None:
            store.set_metadata(tx, number, {model.ZONE: zone}, now)
        made = store.get(tx, number)
        return {"aggregate": _brief(request, made) | {"updated_at": None}}


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Another name, another zone, or both."""
    given, store, now = (request.body["aggregate"], request.services.view.aggregates,
                         request.services.now())
    with request.services.view.write() as tx:
        one = store.get(tx, _number(request))
        if "availability_zone" in given:
            zone = given["availability_zone"]
            regrouping.may_zone(request, tx, one, zone or "", regrouping.UPDATE)
            store.set_metadata(tx, one.id, {model.ZONE: zone}, now)
        if "name" in given:
            store.rename(tx, one.id, given["name"].strip(), now)
        one = store.get(tx, one.id)
    regrouping.tell(request, one.cells)
    return {"aggregate": _document(request, one)}


def delete(request: typing.Any) -> None:
    """Gone, if it has no hosts."""
    store = request.services.view.aggregates
    with request.services.view.write() as tx:
        one = store.get(tx, _number(request))
        if one.hosts:
            raise errors.Invalid(regrouping.REMOVE.format(one.id,
                                                          "Host aggregate is not empty"))
        store.delete(tx, one.id)


# -- actions --------------------------------------------------------------------------------------

def add_host(request: typing.Any) -> dict[str, typing.Any]:
    """One more host; it is in the aggregate's zone from then on."""
    name, store = request.body["add_host"]["host"], request.services.view.aggregates
    with request.services.view.write() as tx:
        one = store.get(tx, _number(request))
        found = regrouping.host(request, tx, name)
        if found is None:
            raise errors.NotFound(f"Compute host {name} could not be found.")
        regrouping.may_add(request, tx, one, found[1].uuid)
        store.add_host(tx, one.id, found[1].uuid, request.services.now())
        one = store.get(tx, one.id)
    regrouping.tell(request, [found[0]])
    return {"aggregate": _document(request, one)}


def remove_host(request: typing.Any) -> dict[str, typing.Any]:
    """One host less."""
    name, store = request.body["remove_host"]["host"], request.services.view.aggregates
    with request.services.view.write() as tx:
        one = store.get(tx, _number(request))
        found = regrouping.host(request, tx, name)
        if found is None or found[1].uuid not in one.hosts:
            raise errors.NotFound(f"Cannot remove host {name} in aggregate {one.id}")
        regrouping.may_remove(request, tx, one, found[1].uuid)
        store.remove_host(tx, one.id, found[1].uuid, request.services.now())
        one = store.get(tx, one.id)
    regrouping.tell(request, [found[0]])
    return {"aggregate": _document(request, one)}


def set_metadata(request: typing.Any) -> dict[str, typing.Any]:
    """Set items; null removes one."""
    items, store = request.body["set_metadata"]["metadata"], request.services.view.aggregates
    with request.services.view.write() as tx:
        one = store.get(tx, _number(request))
        if model.ZONE in items:
            regrouping.may_zone(request, tx, one, items[model.ZONE] or "", regrouping.METADATA)
        store.set_metadata(tx, one.id, items, request.services.now())
        one = store.get(tx, one.id)
    regrouping.tell(request, one.cells)
    return {"aggregate": _document(request, one)}


def images(request: typing.Any) -> None:
    """Have the hosts fetch images; nobody waits for it."""
    wanted, services = [one["id"] for one in request.body["cache"]], request.services
    if len(set(wanted)) < len(wanted):
        raise errors.Invalid("Duplicate images in request")
    with services.view.read() as tx:
        one = services.view.aggregates.get(tx, _number(request))
    try:
        known = tuple(services.images.facts(uuid, request.context.auth_token) for uuid in wanted)
    except (errors.NotFound, errors.Conflict) as problem:
        raise errors.Invalid(problem.message) from None
    regrouping.cache(request, one, known)


_zone = {"oneOf": [shapes.name | {"pattern": "^[^:]*$"}, {"type": "null"}]}
_host = shapes.string(1, 255, pattern=r"^[a-zA-Z0-9-._]*$")
_items = {"type": "object", "additionalProperties": False, "patternProperties": {
    "^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "null"], "maxLength": 255}}}
_create = Shape(aggregate=Shape(name=shapes.name, availability_zone=optional(_zone)))
_update = Shape(aggregate=Shape(name=optional(shapes.lax_name), availability_zone=optional(_zone),
                                keywords={"minProperties": 1}))
_image = {"type": "object", "additionalProperties": False, "required": ["id"],
          "properties": {"id": shapes.uuid}}
_nothing = Query(strict="2.102")

ACTIONS = (
    Action("aggregates:index", "GET", LIST, "serve", policy=f"{PREFIX}:index", handler=index,
           query=_nothing),
    Action("aggregates:create", "POST", LIST, "serve", policy=f"{PREFIX}:create", handler=create,
           body=_create),
    Action("aggregates:show", "GET", ITEM, "serve", policy=f"{PREFIX}:show", handler=show,
           query=_nothing),
    Action("aggregates:update", "PUT", ITEM, "serve", policy=f"{PREFIX}:update", handler=update,
           body=_update),
    Action("aggregates:delete", "DELETE", ITEM, "serve", policy=f"{PREFIX}:delete",
           handler=delete),
    Action("add_host", "POST", ACTION, "serve", policy=f"{PREFIX}:add_host", handler=add_host,
           body=Shape(add_host=Shape(host=_host))),
    Action("remove_host", "POST", ACTION, "serve", policy=f"{PREFIX}:remove_host",
           handler=remove_host, body=Shape(remove_host=Shape(host=_host))),
    Action("set_metadata", "POST", ACTION, "serve", policy=f"{PREFIX}:set_metadata",
           handler=set_metadata, body=Shape(set_metadata=Shape(metadata=_items))),
    Action("aggregates:images", "POST", f"{ITEM}/images", "serve", policy=IMAGES, handler=images,
           success=202, since="2.81", body=Shape(cache=shapes.array(_image, low=1, unique=True))),
)
