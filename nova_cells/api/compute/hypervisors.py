# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hypervisors: hosts with what they have and what of it is taken.

Used amounts come from the servers that the view knows to be there, so they are as fresh as those.
Source: the public api-ref, "Hypervisors".
"""

import json
import typing

from nova_cells.api import fleet, formats, paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional
from nova_cells.db.view import usage
from nova_cells.domain import errors, records, resources

PREFIX, LIST = "os_compute_api:os-hypervisors", "/os-hypervisors"

RULES = tuple(policy.rule(f"{PREFIX}:{name}", policy.ADMIN, words, f"GET {LIST}{path}")
              for name, words, path in (
    ("list", "List hypervisors", ""), ("list-detail", "List hypervisors in detail", "/detail"),
    ("statistics", "Sum up all hypervisors", "/statistics"),
    ("show", "Show a hypervisor", "/{hypervisor_id}"),
    ("uptime", "Show how long a hypervisor is up", "/{hypervisor_id}/uptime"),
    ("search", "Search hypervisors by name", "/{hypervisor_hostname_pattern}/search"),
    ("servers", "List the servers of hypervisors",
     "/{hypervisor_hostname_pattern}/servers")))


class Hypervisor(typing.NamedTuple):
    """A host as this resource shows it."""

    service: fleet.Service
    host: records.HostRecord
    used: usage.Used
    servers: list[tuple[str, str]]       # uuid, name

    @property
    def name(self) -> str:
        """What the hypervisor calls itself."""
        return self.host.hypervisor_hostname or self.host.name

    def id(self, version: int) -> int | str:
        """What clients call it."""
        return self.service.uuid if version >= 53 else self.service.number


def _all(request: typing.Any, servers: bool = False) -> list[Hypervisor]:
    """Every host, in the order of their numbers."""
    services = {service.uuid: service for service in fleet.shown(request)
                if service.binary == fleet.COMPUTE}
    view = request.services.view
    with view.read() as tx:
        used = view.usage.by_host(tx)
        on = view.usage.servers_on(tx) if servers else {}
        return [Hypervisor(services[host.uuid], host, used.get((cell, host.name), usage.Used()),
                           on.get((cell, host.name), []))
                for _number, cell, host in view.records.hosts(tx) if host.uuid in services]


# -- documents ------------------------------------------------------------------------------------

def _brief(request: typing.Any, one: Hypervisor) -> dict[str, typing.Any]:
    return {"id": one.id(request.version), "hypervisor_hostname": one.name,
            "state": "up" if one.service.up else "down",
            "status": "disabled" if one.service.disabled else "enabled"}


def _whole(request: typing.Any, one: Hypervisor) -> dict[str, typing.Any]:
    host, service = one.host, one.service
    shown = _brief(request, one) | {
        "hypervisor_type": host.hypervisor_type, "hypervisor_version": host.hypervisor_version,
        "host_ip": host.address or "127.0.0.1",
        "service": {"id": one.id(request.version), "host": host.name,
                    "disabled_reason": service.disabled_reason}}
    if request.version >= 88:
        return shown | {"uptime": None}
    if request.version >= 28:
        info: typing.Any = json.loads(host.cpu_info) if host.cpu_info else {}
    else:
        info = host.cpu_info
    return shown | _amounts(one) | {"cpu_info": info}


def _amounts(one: Hypervisor) -> dict[str, int | None]:
    total, used = one.host.totals, one.used
    vcpus, ram, disk = (total.get(name, 0) for name in (
        resources.VCPU, resources.MEMORY_MB, resources.DISK_GB))
    return {"vcpus": vcpus, "memory_mb": ram, "local_gb": disk, "vcpus_used": used.vcpus,
            "memory_mb_used": used.ram_mb, "local_gb_used": used.disk_gb,
            "free_ram_mb": ram - used.ram_mb, "free_disk_gb": disk - used.disk_gb,
            "current_workload": used.busy, "running_vms": used.servers,
            "disk_available_least": disk - used.disk_gb}


def _with_servers(request: typing.Any, one: Hypervisor,
                  shown: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Below 2.75 the key is left out where there are none."""
    if one.servers or request.version >= 75:
        shown["servers"] = [{"uuid": uuid, "name": name} for uuid, name in one.servers]
    return shown


# -- lists ----------------------------------------------------------------------------------------

def _list(request: typing.Any, path: str, document: typing.Callable) -> dict[str, typing.Any]:
    servers = shapes.truth(request.param("with_servers", "false"))
    pattern, found = request.param("hypervisor_hostname_pattern"), _all(request, servers)
    following = []
    if pattern is not None:
        if request.param("limit") is not None or request.param("marker") is not None:
            raise errors.Invalid("Paging over hypervisors with the hypervisor_hostname_pattern "
                                 "query parameter is not supported.")
        found = _matching(found, pattern)
    elif request.version >= 33:
        limit = paging.limit(request)
        found = _after(request, found)[:limit]
        following = paging.following(request, path, [str(one.id(request.version))
                                                     for one in found], limit)
    body: dict[str, typing.Any] = {"hypervisors": [
        _with_servers(request, one, document(request, one)) if servers
        else document(request, one) for one in found]}
    return body | ({"hypervisors_links": following} if following else {})


def _matching(found: list[Hypervisor], pattern: str) -> list[Hypervisor]:
    matching = [one for one in found if pattern in one.name]
    if not matching:
        raise errors.NotFound(f"No hypervisor matching '{pattern[:255]}' could be found.")
    return matching


def _after(request: typing.Any, found: list[Hypervisor]) -> list[Hypervisor]:
    """What follows the marker."""
    marker = request.param("marker")
    if marker is None:
        return found
    for place, one in enumerate(found):
        if str(one.id(request.version)) == marker:
            return found[place + 1:]
    raise errors.Invalid(f"marker [{marker[:255]}] not found")


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The short list."""
    return _list(request, LIST, _brief)


def detail(request: typing.Any) -> dict[str, typing.Any]:
    """The long list."""
    return _list(request, f"{LIST}/detail", _whole)


def search(request: typing.Any) -> dict[str, typing.Any]:
    """Up to 2.52: those whose name has this in it."""
    return {"hypervisors": [_brief(request, one)
                            for one in _matching(_all(request), request.args["id"])]}


def servers(request: typing.Any) -> dict[str, typing.Any]:
    """Up to 2.52: the same, with their servers."""
    return {"hypervisors": [_with_servers(request, one, _brief(request, one))
                            for one in _matching(_all(request, True), request.args["id"])]}


def statistics(request: typing.Any) -> dict[str, typing.Any]:
    """Up to 2.87: all enabled hosts together."""
    counted = [_amounts(one) for one in _all(request) if not one.service.disabled]
    names = _amounts(Hypervisor(None, records.HostRecord(uuid="", name="", version=0),  # type: ignore
                                usage.Used(), []))
    return {"hypervisor_statistics": {"count": len(counted)} | {
        name: sum(one[name] or 0 for one in counted) for name in names}}


# -- one ------------------------------------------------------------------------------------------

def _find(request: typing.Any, with_servers: bool = False) -> Hypervisor:
    given = request.args["id"]
    if request.version >= 53 and not formats.is_uuid(given):
        raise errors.Invalid(f"Invalid uuid {given[:255]}")
    for one in _all(request, with_servers):
        if str(one.id(request.version)) == given:
            return one
    raise errors.NotFound(f"Hypervisor with ID '{given[:255]}' could not be found.")


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One."""
    wanted = shapes.truth(request.param("with_servers", "false"))
    one = _find(request, wanted)
    shown = _whole(request, one)
    return {"hypervisor": _with_servers(request, one, shown) if wanted else shown}


def uptime(request: typing.Any) -> None:
    """Up to 2.87: how long it is up.  No driver here tells."""
    one = _find(request)
    if not one.service.up:
        raise errors.Invalid(f"Compute service of {one.host.name} is unavailable at this time.")
    raise errors.Unsupported("The requested functionality is not supported.")


_page = {"limit": optional(shapes.non_negative), "marker": optional(shapes.string())}
_listing = Query(strict="2.53").since("2.33", _page).since(
    "2.53", hypervisor_hostname_pattern=optional(shapes.string(1, 255)),
    with_servers=optional(shapes.boolean))
_showing = Query(strict="2.53").since("2.53", with_servers=optional(shapes.boolean))

ACTIONS = (
    Action("hypervisors:index", "GET", LIST, "stale", policy=f"{PREFIX}:list", handler=index,
           query=_listing),
    Action("hypervisors:detail", "GET", f"{LIST}/detail", "stale", policy=f"{PREFIX}:list-detail",
           handler=detail, query=_listing),
    Action("hypervisors:statistics", "GET", f"{LIST}/statistics", "stale", until="2.87",
           policy=f"{PREFIX}:statistics", handler=statistics),
    Action("hypervisors:show", "GET", f"{LIST}/{{id}}", "stale", policy=f"{PREFIX}:show",
           handler=show, query=_showing),
    Action("hypervisors:uptime", "GET", f"{LIST}/{{id}}/uptime", "stale", until="2.87",
           policy=f"{PREFIX}:uptime", handler=uptime),
    Action("hypervisors:search", "GET", f"{LIST}/{{id}}/search", "stale", until="2.52",
           policy=f"{PREFIX}:search", handler=search),
    Action("hypervisors:servers", "GET", f"{LIST}/{{id}}/servers", "stale", until="2.52",
           policy=f"{PREFIX}:servers", handler=servers),
)
