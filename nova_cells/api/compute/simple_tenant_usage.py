# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What projects have used: servers times hours, deleted servers included.

Answered from the view alone.  Source: the public api-ref, "Usage reports".
"""

import datetime
import typing

from nova_cells.api import fleet, found, paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional
from nova_cells.domain import errors

PREFIX = "os_compute_api:os-simple-tenant-usage"
LIST, ITEM = "/os-simple-tenant-usage", "/os-simple-tenant-usage/{id}"
_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")
HOUR = 3600.0

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ADMIN, "Report what all projects used", f"GET {LIST}"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Report what a project used",
                f"GET {ITEM}"),
)


class Period(typing.NamedTuple):
    """Seconds since the epoch."""

    start: float
    stop: float
    now: float


def _moment(given: str | None, now: float) -> float:
    if not given:
        return now
    for form in _FORMATS:
        try:
            when = datetime.datetime.strptime(given, form).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        return when.timestamp()
    raise errors.Invalid("Invalid time format: Datetime is in invalid format")


def _period(request: typing.Any) -> Period:
    now = request.services.now()
    start = _moment(request.param("start"), now)
    stop = _moment(request.param("end"), max(now, request.services.now()))
    if not start < stop:
        raise errors.Invalid("Invalid start time. The start time cannot occur after the end time.")
    return Period(start, min(stop, max(now, start)), now)


def _server(row: typing.Any, period: Period) -> dict[str, typing.Any]:
    """One server's part."""
    ended = row.ended_at or None
    last = min(period.stop, ended) if ended else period.stop
    flavor = found.unpack(row.record).flavor
    return {"instance_id": row.uuid, "name": row.name, "tenant_id": row.project_id,
            "hours": max(0.0, last - max(row.launched_at, period.start)) / HOUR,
            "flavor": flavor.name, "memory_mb": row.ram_mb, "local_gb": row.disk_gb,
            "vcpus": row.vcpus, "started_at": fleet.moment(row.launched_at),
            "ended_at": fleet.moment(ended) if ended else None,
            "state": "terminated" if ended else row.vm_state,
            "uptime": int((ended or period.now) - row.launched_at)}


def _projects(servers: list[dict[str, typing.Any]], period: Period,
              detailed: bool) -> list[dict[str, typing.Any]]:
    """Sums by project."""
    sums: dict[str, dict[str, typing.Any]] = {}
    for one in servers:
        total = sums.setdefault(one["tenant_id"], {
            "tenant_id": one["tenant_id"], **({"server_usages": []} if detailed else {}),
            "total_local_gb_usage": 0.0, "total_vcpus_usage": 0.0, "total_memory_mb_usage": 0.0,
            "total_hours": 0.0, "start": fleet.moment(period.start),
            "stop": fleet.moment(period.stop)})
        for name in ("local_gb", "vcpus", "memory_mb"):
            total[f"total_{name}_usage"] += one[name] * one["hours"]
        total["total_hours"] += one["hours"]
        if detailed:
            total["server_usages"].append(one)
    return list(sums.values())


def _page(request: typing.Any, period: Period, project: str | None,
          path: str) -> tuple[list[dict[str, typing.Any]], list[dict[str, str]]]:
    """The servers of a page, and the link to the next."""
    request.cells.add(found.EVERY)
    limit, view = paging.limit(request), request.services.view
    with view.read() as tx:
        rows = view.usage.in_period(tx, period.start, period.stop, project, limit,
                                    request.param("marker"))
    servers = [_server(row, period) for row in rows]
    following = [] if request.version < 40 else paging.following(
        request, path, [one["instance_id"] for one in servers], limit)
    return servers, following


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Every project."""
    period, detailed = _period(request), request.param("detailed") == "1"
    servers, following = _page(request, period, None, LIST)
    body: dict[str, typing.Any] = {"tenant_usages": _projects(servers, period, detailed)}
    return body | ({"tenant_usages_links": following} if following else {})


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One project, with its servers."""
    project = request.args["id"]
    request.authorize(f"{PREFIX}:show", {"project_id": project,
                                         "user_id": request.context.user_id})
    period = _period(request)
    servers, following = _page(request, period, project, f"{LIST}/{project}")
    sums = _projects(servers, period, detailed=True)
    body: dict[str, typing.Any] = {"tenant_usage": sums[0] if sums else {}}
    return body | ({"tenant_usage_links": following} if following else {})


_period_of = Query(strict="2.75", start=optional(shapes.string()), end=optional(shapes.string()),
                   detailed=optional(shapes.string())).since("2.40", paging.PARAMETERS)

ACTIONS = (
    Action("simple-tenant-usage:index", "GET", LIST, "stale", policy=f"{PREFIX}:list",
           handler=index, query=_period_of),
    Action("simple-tenant-usage:show", "GET", ITEM, "stale", handler=show, query=_period_of),
)
