# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Services of all cells, for operators.

To be listed now; to enable, disable, force down and delete them takes an order to the cell
that owns the host, which comes with host maintenance in a later release: until then 501.
"""

import typing

from nova_cells.api import fleet, formats, policy, shapes
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
    return fleet.services(request.services.view, request.services.now())


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


def _later() -> typing.NoReturn:
    raise errors.Unsupported("This release lists services only; enabling, disabling, forcing "
                             "down and deleting them comes with host maintenance in a later "
                             "release. Disable the whole cell with nova-cells-manage cell "
                             "disable.")


def order(request: typing.Any) -> typing.NoReturn:
    """Up to 2.52: the path names the order, the body the service."""
    name = request.args["id"]
    if name not in ORDERS or (name == "force-down" and request.version < 11):
        raise errors.NotFound("Unknown action")
    if name == "disable-log-reason" and "disabled_reason" not in request.body:
        raise errors.Invalid("Missing disabled reason field")
    if name == "force-down" and "forced_down" not in request.body:
        raise errors.Invalid("Missing forced_down field")
    host, binary = request.body["host"], request.body["binary"]
    if not any((service.host, service.binary) == (host, binary) for service in _all(request)):
        raise errors.NotFound(f"Could not find binary {binary[:64]} on host {host[:64]}.")
    _later()


def update(request: typing.Any) -> typing.NoReturn:
    """From 2.53 on: the path names the service, the body what it shall be."""
    if not request.body:
        raise errors.Invalid("No updates were requested. Fields 'status' or 'forced_down' "
                             "should be specified.")
    if "disabled_reason" in request.body and request.body.get("status") != "disabled":
        raise errors.Invalid("Specifying disabled_reason requires that status is disabled.")
    _known(request)
    _later()


def delete(request: typing.Any) -> typing.NoReturn:
    """Forget a service."""
    _known(request)
    _later()


def _known(request: typing.Any) -> None:
    """404 unless the path names a service; 400 if it cannot name one."""
    given = request.args["id"]
    if request.version >= 53 and not formats.is_uuid(given):
        raise errors.Invalid(f"Invalid uuid {given[:64]}")
    if request.version < 53 and not given.isdecimal():
        raise errors.Invalid(f"Service id must be an integer, not {given[:64]!r}.")
    if given not in [service.uuid if request.version >= 53 else str(service.number)
                     for service in _all(request)]:
        raise errors.NotFound(f"Service {given} could not be found.")


_reason = shapes.string(1, 255)
_host = shapes.hostname
_order = Shape(host=_host, binary=shapes.string(1, 255), disabled_reason=optional(_reason)
               ).since("2.11", forced_down=optional(shapes.boolean))
_update = Shape(status=optional(shapes.one_of("enabled", "disabled")),
                disabled_reason=optional(_reason), forced_down=optional(shapes.boolean))

ACTIONS = (
    Action("services:index", "GET", "/os-services", policy=f"{PREFIX}:list", handler=index,
           query=Query(strict="2.75", binary=optional(shapes.string()),
                       host=optional(shapes.string()))),
    Action("services:order", "PUT", PATH, policy=f"{PREFIX}:update", handler=order,
           body=_order, until="2.52"),
    Action("services:update", "PUT", PATH, policy=f"{PREFIX}:update", handler=update,
           body=_update, since="2.53"),
    Action("services:delete", "DELETE", PATH, policy=f"{PREFIX}:delete", handler=delete,
           success=204),
)
