# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Availability zones, which may span cells.  The zones of a down cell stay listed."""

import typing

from nova_cells.api import fleet, policy
from nova_cells.api.catalogue import Action

PREFIX = "os_compute_api:os-availability-zone"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ANYONE, "List availability zones",
                "GET /os-availability-zone"),
    policy.rule(f"{PREFIX}:detail", policy.ADMIN, "List availability zones with their hosts",
                "GET /os-availability-zone/detail"),
)


def _zones(request: typing.Any) -> dict[str, list[fleet.Service]]:
    found: dict[str, list[fleet.Service]] = {}
    for service in fleet.shown(request):
        found.setdefault(service.zone, []).append(service)
    return dict(sorted(found.items()))


def _available(services: list[fleet.Service]) -> bool:
    """A zone is available while a service in it is enabled, whether or not it answers."""
    return any(not service.disabled for service in services)


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The zones that servers can be in."""
    return {"availabilityZoneInfo": [
        {"zoneName": zone, "zoneState": {"available": _available(services)}, "hosts": None}
        for zone, services in _zones(request).items() if zone != fleet.INTERNAL]}


def detail(request: typing.Any) -> dict[str, typing.Any]:
    """All zones with the hosts in them, and how those are."""
    return {"availabilityZoneInfo": [
        {"zoneName": zone, "zoneState": {"available": _available(services)},
         "hosts": _hosts(services) if _available(services) else None}
        for zone, services in _zones(request).items()]}


def _hosts(services: list[fleet.Service]) -> dict[str, dict[str, typing.Any]]:
    """host -> service -> state.  Of two hosts with one name, the second bears its cell's, too."""
    found: dict[str, dict[str, typing.Any]] = {}
    for service in services:
        name = service.host
        if service.binary in found.get(name, {}):
            name = f"{service.host}.{service.cell}"
        found.setdefault(name, {})[service.binary] = {
            "available": service.up, "active": not service.disabled,
            "updated_at": fleet.moment(service.updated_at)}
    return found


ACTIONS = (
    Action("availability-zones:index", "GET", "/os-availability-zone", "stale",
           policy=f"{PREFIX}:list", handler=index),
    Action("availability-zones:detail", "GET", "/os-availability-zone/detail", "stale",
           policy=f"{PREFIX}:detail", handler=detail),
)
