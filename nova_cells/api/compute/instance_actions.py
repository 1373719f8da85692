# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What was asked of a server, by whom, and how it went.

The view holds one record per operation, as its cell sent it up.  From 2.21 on the actions of
deleted servers are shown, too; from 2.58 on they come in pages.  Source: the public api-ref.
"""

import typing
import urllib.parse

from nova_cells.api import formats, found, paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional
from nova_cells.domain import commands, errors, rendering
from nova_cells.domain import server as model

PREFIX = "os_compute_api:os-instance-actions"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.READER_OR_ADMIN, "List what was asked of a server.",
                "GET /servers/{server_id}/os-instance-actions"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show one of them.",
                "GET /servers/{server_id}/os-instance-actions/{request_id}"),
    policy.rule(f"{PREFIX}:events", policy.ADMIN, "See the steps of an action below 2.51, and "
                "their hosts (2.62).",
                "GET /servers/{server_id}/os-instance-actions/{request_id}"),
    policy.rule(f"{PREFIX}:events:details", policy.ADMIN, "See the details of failed steps "
                "(2.84).", "GET /servers/{server_id}/os-instance-actions/{request_id}"),
)


def _server(request: typing.Any, rule: str) -> typing.Any:
    return found.find(request, f"{PREFIX}:{rule}", deleted=request.version >= 21)


def _shown(request: typing.Any, record: commands.ActionRecord) -> dict:
    shown = {"action": record.action, "instance_uuid": record.server,
             "request_id": record.request_id, "user_id": record.user_id,
             "project_id": record.project_id, "message": record.message,
             "start_time": rendering.long_time(record.start)}
    if request.version >= 58:
        shown["updated_at"] = rendering.long_time(record.updated or record.start)
    return shown


def index(request: typing.Any) -> dict:
    """Newest first."""
    row = _server(request, "list")
    with request.services.view.read() as tx:
        records = request.services.view.records.actions_of(tx, row.uuid)
    if request.version < 58:
        return {"instanceActions": [_shown(request, record) for record in records]}
    since, before = (formats.parse_time(text) if text else None for text in (
        request.param("changes-since"), request.param("changes-before")))
    if since is not None and before is not None and since > before:
        raise errors.Invalid("The value of changes-since must be less than or equal to "
                             "changes-before.")
    kept = [record for record in records
            if (since is None or (record.updated or record.start) >= since)
            and (before is None or (record.updated or record.start) <= before)]
    return _page(request, row, _beyond(request, kept))


def _beyond(request: typing.Any,
            records: list[commands.ActionRecord]) -> list[commands.ActionRecord]:
    marker = request.param("marker")
    if marker is None:
        return records
    for place, record in enumerate(records):
        if record.request_id == marker:
            return records[place + 1:]
    raise errors.Invalid(f"marker [{marker[:64]}] not found")


def _page(request: typing.Any, row: typing.Any, records: list[commands.ActionRecord]) -> dict:
    limit = paging.limit(request)
    page = records[:limit]
    body: dict = {"instanceActions": [_shown(request, record) for record in page]}
    if page and len(page) == limit and len(records) > limit:
        kept = [(name, value) for name, value in urllib.parse.parse_qsl(
            request.http.environ.get("QUERY_STRING", "")) if name != "marker"]
        words = urllib.parse.urlencode([*kept, ("marker", page[-1].request_id)])
        body["links"] = [{"rel": "next", "href": f"{request.place.versioned}/servers/{row.uuid}"
                                                 f"/os-instance-actions?{words}"}]
    return body


def show(request: typing.Any) -> dict:
    """One of them, with its steps."""
    row = _server(request, "show")
    wanted = request.args["request_id"]
    with request.services.view.read() as tx:
        records = request.services.view.records.actions_of(tx, row.uuid)
    record = next((one for one in records if one.request_id == wanted), None)
    if record is None:
        raise errors.NotFound(f"Action for request_id {wanted[:255]} on instance {row.uuid} not "
                              f"found")
    shown = _shown(request, record)
    admin = request.allows(f"{PREFIX}:events", found.target(row))
    if admin or request.version >= 51:
        shown["events"] = [_event(request, row, event, admin) for event in record.events]
    return {"instanceAction": shown}


def _event(request: typing.Any, row: typing.Any, event: commands.Event, admin: bool) -> dict:
    shown = {"event": event.name, "start_time": rendering.long_time(event.start),
             "finish_time": rendering.long_time(event.finish), "result": event.result}
    if admin:
        shown["traceback"] = None        # ours are in the logs, by request id
    if request.version >= 62:
        shown["hostId"] = model.host_id(row.project_id, event.host)
        if admin:
            shown["host"] = event.host
    if request.version >= 84 and request.allows(f"{PREFIX}:events:details", found.target(row)):
        shown["details"] = event.details
    return shown


_time = optional(shapes.string(format="date-time"))
_listing = Query({}, strict="2.58").since("2.58", paging.PARAMETERS | {"changes-since": _time}
                                          ).since("2.66", {"changes-before": _time})

ACTIONS = (
    Action("actions:index", "GET", "/servers/{id}/os-instance-actions", "stale", handler=index,
           query=_listing),
    Action("actions:show", "GET", "/servers/{id}/os-instance-actions/{request_id}", "stale",
           handler=show),
)
