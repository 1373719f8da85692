# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Which projects may use a private flavor."""

import typing

from nova_cells.api import policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape
from nova_cells.domain import errors

ACCESS = "os_compute_api:os-flavor-access"
LIST, ACTION = "/flavors/{flavor_id}/os-flavor-access", "/flavors/{id}/action"

RULES = (
    policy.rule(ACCESS, policy.ADMIN, "List who may use a private flavor", f"GET {LIST}"),
    policy.rule(f"{ACCESS}:add_tenant_access", policy.ADMIN, "Let a project use a flavor",
                f"POST {ACTION} (addTenantAccess)"),
    policy.rule(f"{ACCESS}:remove_tenant_access", policy.ADMIN, "Take a flavor from a project",
                f"POST {ACTION} (removeTenantAccess)"),
)


def _document(request: typing.Any, tx: typing.Any, flavorid: str) -> dict[str, typing.Any]:
    projects = request.services.view.flavors.access(tx, flavorid)
    return {"flavor_access": [{"flavor_id": flavorid, "tenant_id": project}
                              for project in projects]}


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The projects; a public flavor has no such list."""
    flavorid = request.args["flavor_id"]
    with request.services.view.read() as tx:
        if request.services.view.flavors.get(tx, flavorid).public:
            raise errors.NotFound("Access list not available for public flavors.")
        return _document(request, tx, flavorid)


def add(request: typing.Any) -> dict[str, typing.Any]:
    """Let a project use it.  From 2.7 on a public flavor is refused."""
    flavorid = request.args["id"]
    with request.services.view.write() as tx:
        flavors = request.services.view.flavors
        if request.version >= 7 and flavors.get(tx, flavorid).public:
            raise errors.Conflict("Can not add access to a public flavor.")
        flavors.grant(tx, flavorid, request.body["addTenantAccess"]["tenant"])
        return _document(request, tx, flavorid)


def remove(request: typing.Any) -> dict[str, typing.Any]:
    """Take it away."""
    flavorid = request.args["id"]
    with request.services.view.write() as tx:
        request.services.view.flavors.revoke(
            tx, flavorid, request.body["removeTenantAccess"]["tenant"])
        return _document(request, tx, flavorid)


_project = Shape(tenant=shapes.string(1, 255))

ACTIONS = (
    Action("flavor-access:index", "GET", LIST, "serve", policy=ACCESS, handler=index,
           query=Query(strict="2.75")),
    Action("addTenantAccess", "POST", ACTION, "serve", policy=f"{ACCESS}:add_tenant_access",
           handler=add, body=Shape(addTenantAccess=_project)),
    Action("removeTenantAccess", "POST", ACTION, "serve", policy=f"{ACCESS}:remove_tenant_access",
           handler=remove, body=Shape(removeTenantAccess=_project)),
)
