# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Services of all cells, for operators.

Listed from the view.  To enable, disable, force down and delete one is an order to the cell that
owns the host.  Source: the public api-ref, "Compute services".
"""

import typing

from nova_cells.api import fleet, formats, hostorders, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errors

PREFIX, PATH = "os_compute_api:os-services", "/os-services/{id}"
ORDERS = ("enable", "disable", "disable-log-reason", "force-down")

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ADMIN, "List services", "GET /os-services"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Enable, disable or force down a service",
                f"PUT {PATH}"),
    policy.rule(f"{PREFIX}:delete", policy.ADMIN, "Delete a service", f"DELETE {PATH}"),
)


def _all(request: typing.Any) -> list[fleet.Service]:
    return fleet.shown(request)


def _document(request: typing.Any, service: fleet.Service) -> dict[str, typing.Any]:
    document = {
        "id": service.uuid if request.version >= 53 else service.number,
        "binary": service.binary, "host": service.host, "zone": service.zone,
        "status": "disabled" if service.disabled else "enabled",
        "state": "up" if service.up else "down",
        "updated_at": fleet.moment(service.updated_at),
        "disabled_reason": service.disabled_reason}
    if request.version >= 11:
        document["forced_down"] = service.forced_down
    return document


def index(request: typing.Any) -> dict[str, typing.Any]:
    """All services, or those of a host, or those of a kind."""
    binary, host = request.param("binary"), request.param("host")
    return {"services": [_document(request, service) for service in _all(request)
                         if binary in (None, service.binary) and host in (None, service.host)]}


def order(request: typing.Any) -> dict[str, typing.Any]:
    """Up to 2.52: the path names the order, the body the service."""
    name = request.args["id"]
    if name not in ORDERS or (name == "force-down" and request.version < 11):
        raise errors.NotFound("Unknown action")
    if name == "disable-log-reason" and "disabled_reason" not in request.body:
        raise errors.Invalid("Missing disabled reason field")
    if name == "force-down" and "forced_down" not in request.body:
        raise errors.Invalid("Missing forced_down field")
    service = _named(request, request.body["host"], request.body["binary"])
    shown = {"host": service.host, "binary": service.binary}
    if name == "force-down":
        forced = shapes.truth(request.body["forced_down"])
        hostorders.change(request, service, forced_down=forced)
        return {"service": shown | {"forced_down": forced}}
    reason = request.body["disabled_reason"] if name == "disable-log-reason" else None
    hostorders.change(request, service, disabled=name != "enable", reason=reason)
    shown["status"] = "enabled" if name == "enable" else "disabled"
    return {"service": shown | ({"disabled_reason": reason} if reason else {})}


def update(request: typing.Any) -> dict[str, typing.Any]:
    """From 2.53 on: the path names the service, the body what it shall be."""
    body = request.body
    if "status" not in body and "forced_down" not in body and "disabled_reason" not in body:
        raise errors.Invalid("No updates were requested. Fields 'status' or 'forced_down' "
                             "should be specified.")
    if "disabled_reason" in body and body.get("status") != "disabled":
        raise errors.Invalid("Specifying disabled_reason requires that status is disabled.")
    service, fields = _compute(_known(request)), {}
    if "status" in body:
        fields = {"disabled": body["status"] == "disabled",
                  "reason": body.get("disabled_reason")}
    if "forced_down" in body:
        fields["forced_down"] = shapes.truth(body["forced_down"])
    hostorders.change(request, service, **fields)
    return {"service": _document(request, _known(request))}


def delete(request: typing.Any) -> None:
    """Forget a host: refused while it is up or has servers."""
    hostorders.forget(request, _compute(_known(request)))


def _named(request: typing.Any, host: str, binary: str) -> fleet.Service:
    """The one service of this name.  Two cells may have hosts of one name; then the older way of
    naming a service says too little, and 2.53's does not."""
    found = [service for service in _all(request)
             if (service.host, service.binary) == (host, binary)]
    if not found:
        raise errors.NotFound(f"Could not find binary {binary[:64]} on host {host[:64]}.")
    if len(found) > 1:
        cells = ", ".join(sorted(service.cell for service in found))
        raise errors.Invalid(f"More than one cell has a host {host[:64]} ({cells}): name the "
                             f"service by its id, with microversion 2.53 or later.")
    return _compute(found[0])


def _known(request: typing.Any) -> fleet.Service:
    """The service in the path.  404 unless there is one; 400 if it cannot name one."""
    given = request.args["id"]
    if request.version >= 53 and not formats.is_uuid(given):
        raise errors.Invalid(f"Invalid uuid {given[:64]}")
    if request.version < 53 and not given.isdecimal():
        raise errors.Invalid(f"Service id must be an integer, not {given[:64]!r}.")
    for service in _all(request):
        if given == (service.uuid if request.version >= 53 else str(service.number)):
            return service
    raise errors.NotFound(f"Service {given} could not be found.")


def _compute(service: fleet.Service) -> fleet.Service:
    """A host's service; what a cell's own are cannot be changed from here."""
    if service.binary != fleet.COMPUTE:
        raise errors.Invalid(f"Updating a {service.binary} service is not supported. Only "
                             f"nova-compute services can be updated; cells are enabled and "
                             f"disabled by nova-cells-manage.")
    return service


_reason = shapes.string(1, 255)
_host = shapes.hostname
_order = Shape(host=_host, binary=shapes.string(1, 255), disabled_reason=optional(_reason)
               ).since("2.11", forced_down=optional(shapes.boolean))
_update = Shape(status=optional(shapes.one_of("enabled", "disabled")),
                disabled_reason=optional(_reason), forced_down=optional(shapes.boolean))

ACTIONS = (
    Action("services:index", "GET", "/os-services", "stale", policy=f"{PREFIX}:list", handler=index,
           query=Query(strict="2.75", binary=optional(shapes.string()),
                       host=optional(shapes.string()))),
    Action("services:order", "PUT", PATH, "refuse", policy=f"{PREFIX}:update", handler=order,
           body=_order, until="2.52"),
    Action("services:update", "PUT", PATH, "refuse", policy=f"{PREFIX}:update", handler=update,
           body=_update, since="2.53"),
    Action("services:delete", "DELETE", PATH, "refuse", policy=f"{PREFIX}:delete", handler=delete,
           success=204),
)
