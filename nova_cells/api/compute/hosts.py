# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts as clients before 2.43 know them.

Whether a host takes new servers is the same word as in ``services``; there is no maintenance mode
and no power switch here, and Nova says so in the same way for drivers that have none.  Source: the
public api-ref, "Hosts".
"""

import typing

from nova_cells.api import fleet, hostorders, policy, regrouping, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.db.view import usage
from nova_cells.domain import errors, resources

PREFIX, LIST, ITEM, LAST = "os_compute_api:os-hosts", "/os-hosts", "/os-hosts/{id}", "2.42"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ADMIN, "List hosts", f"GET {LIST}"),
    policy.rule(f"{PREFIX}:show", policy.ADMIN, "Show a host", f"GET {ITEM}"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Enable or disable a host", f"PUT {ITEM}"),
    policy.rule(f"{PREFIX}:reboot", policy.ADMIN, "Reboot a host", f"GET {ITEM}/reboot"),
    policy.rule(f"{PREFIX}:shutdown", policy.ADMIN, "Shut down a host", f"GET {ITEM}/shutdown"),
    policy.rule(f"{PREFIX}:start", policy.ADMIN, "Start a host", f"GET {ITEM}/startup"),
)


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The services that are enabled, by host."""
    zone = request.param("zone")
    return {"hosts": [
        {"host_name": service.host, "service": service.binary.removeprefix("nova-"),
         "zone": service.zone} for service in fleet.shown(request)
        if not service.disabled and (not zone or service.zone == zone)]}


def _find(request: typing.Any, tx: typing.Any) -> tuple[str, typing.Any]:
    """(cell, record) of the host in the path."""
    name = request.args["id"]
    found = regrouping.host(request, tx, name)
    if found is None:
        raise errors.NotFound(f"Compute host {name[:255]} could not be found.")
    return found


def show(request: typing.Any) -> dict[str, typing.Any]:
    """What a host has, what of it is taken, and by whom."""
    view = request.services.view
    with view.read() as tx:
        cell, host = _find(request, tx)
        request.cells.add(cell)
        used = view.usage.by_host(tx).get((cell, host.name), usage.Used())
        projects = view.usage.by_project(tx, cell, host.name)
    total = host.totals
    rows = [("(total)", *(total.get(name, 0) for name in (
                resources.VCPU, resources.MEMORY_MB, resources.DISK_GB))),
            ("(used_now)", used.vcpus, used.ram_mb, used.disk_gb),
            ("(used_max)", *(sum(int(row[place]) for row in projects) for place in (1, 2, 3))),
            *((row.project_id, *(int(value) for value in row[1:])) for row in projects)]
    return {"host": [{"resource": {"host": host.name, "project": project, "cpu": vcpus,
                                   "memory_mb": ram, "disk_gb": disk}}
                     for project, vcpus, ram, disk in rows]}


def _service(request: typing.Any) -> fleet.Service:
    """The service of the host in the path."""
    with request.services.view.read() as tx:
        _cell, host = _find(request, tx)
    return next(one for one in fleet.shown(request) if one.uuid == host.uuid)


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Enable or disable it."""
    service = _service(request)
    if "maintenance_mode" in request.body:
        raise _cannot()
    enabled = request.body["status"].lower() == "enable"
    hostorders.change(request, service, disabled=not enabled)
    return {"host": request.args["id"], "status": "enabled" if enabled else "disabled"}


def power(request: typing.Any) -> None:
    """No host here has a switch."""
    service = _service(request)
    if not service.up:
        raise errors.Invalid(f"Compute service of {service.host} is unavailable at this time.")
    raise _cannot()


def _cannot() -> errors.Unsupported:
    return errors.Unsupported("The requested functionality is not supported.")


_word = shapes.one_of("enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE")
_update = Shape(status=optional(_word), maintenance_mode=optional(_word),
                keywords={"minProperties": 1})

ACTIONS = (
    Action("hosts:index", "GET", LIST, "stale", policy=f"{PREFIX}:list", handler=index,
           query=Query(zone=optional(shapes.string())), until=LAST),
    Action("hosts:show", "GET", ITEM, "stale", policy=f"{PREFIX}:show", handler=show, until=LAST),
    Action("hosts:update", "PUT", ITEM, "refuse", policy=f"{PREFIX}:update", handler=update,
           body=_update, until=LAST),
    Action("hosts:reboot", "GET", f"{ITEM}/reboot", "stale", policy=f"{PREFIX}:reboot",
           handler=power, until=LAST),
    Action("hosts:shutdown", "GET", f"{ITEM}/shutdown", "stale", policy=f"{PREFIX}:shutdown",
           handler=power, until=LAST),
    Action("hosts:startup", "GET", f"{ITEM}/startup", "stale", policy=f"{PREFIX}:start",
           handler=power, until=LAST),
)
