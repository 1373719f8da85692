# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What other services tell us about servers, event by event.

Each is answered at once, and sent to the server's cell without waiting.  Nothing waits for the
event of a port: binding is asked for, not told, so an early, late or doubled event only makes the
host look again.  Source: the public api-ref, "Create external events".
"""

import logging
import typing

from nova_cells.api import found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Shape
from nova_cells.domain import errands, errors
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
PREFIX = "os_compute_api:os-server-external-events"
RULES = (policy.rule(f"{PREFIX}:create", "role:service or rule:context_is_admin", "Tell of events "
                     "that concern servers.", "POST /os-server-external-events"),)

NAMES = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted")
TAGGED = frozenset({"volume-extended", "power-update", "accelerator-request-bound"})
POWER = {"POWER_ON": "start", "POWER_OFF": "stop"}


def _interfaces(record: model.Server, port: str | None) -> list[model.Interface]:
    return [nic for nic in record.interfaces if port in (None, nic.port_id)]


def _look(request: typing.Any, row: typing.Any, record: model.Server, tag: str | None) -> list:
    """The host looks at the port, or at all of them."""
    return [request.services.orders.run(row.uuid, "change_interface", errands.Errand(
        uuid=nic.errand, server=row.uuid, kind=errands.INTERFACE), request.origin)
        for nic in _interfaces(record, tag)]


def _deleted(request: typing.Any, row: typing.Any, record: model.Server, tag: str | None) -> list:
    """The port is gone: the guest loses its interface."""
    return [request.services.orders.run(row.uuid, "detach_interface", errands.Errand(
        uuid=nic.errand, server=row.uuid, kind=errands.INTERFACE), request.origin)
        for nic in _interfaces(record, tag) if tag]


def _power(request: typing.Any, row: typing.Any, _record: model.Server, tag: str | None) -> list:
    """The power was changed outside: the server's verb makes it so."""
    verb = POWER.get(tag or "")
    return [request.services.orders.act(row.uuid, verb, request.origin,
                                        request.services.now())] if verb else []


#: What an event makes happen; one that is not here is taken and makes nothing happen.
HANDLERS: dict[str, typing.Callable[..., list]] = {
    "network-changed": _look, "network-vif-deleted": _deleted, "power-update": _power}


def create(request: typing.Any) -> Reply:
    """200 if all were taken, 207 if not."""
    told = [_one(request, dict(event)) for event in request.body["events"]]
    good = all(event["code"] == 200 for event in told)
    return Reply({"events": told}, status=200 if good else 207)


def _one(request: typing.Any, event: dict) -> dict:
    with request.services.view.read() as tx:
        row = request.services.view.servers.row(tx, event["server_uuid"])
    if row is None or row.deleted:
        return {**event, "status": "failed", "code": 404}
    if event["name"] in TAGGED and event.get("tag") is None:
        return {**event, "status": "failed", "code": 400}
    record = found.unpack(row.record)
    if not record.host:
        return {**event, "status": "failed", "code": 422}
    if event.get("status", "completed") == "completed":
        _send(request, event, row, record)
    return {**event, "status": "completed", "code": 200}


def _send(request: typing.Any, event: dict, row: typing.Any, record: model.Server) -> None:
    handler = HANDLERS.get(event["name"])
    try:
        for order in handler(request, row, record, event.get("tag")) if handler else ():
            request.services.client.cast(order.to, order.command)
    except errors.Problem as problem:    # the sender cannot help it
        LOG.info("server=%s event %s makes nothing happen: %s", row.uuid, event["name"], problem)


def _events(*names: str) -> dict:
    return {"type": "array", "minItems": 1, "items": {
        "type": "object", "additionalProperties": False, "required": ["name", "server_uuid"],
        "properties": {
            "name": {"type": "string", "enum": [*NAMES, *names]},
            "server_uuid": shapes.uuid,
            "status": {"type": "string", "enum": ["failed", "completed", "in-progress"]},
            "tag": shapes.string(high=255)}}}


_body = Shape(events=_events(),
              ).since("2.51", events=_events("volume-extended"),
              ).since("2.76", events=_events("volume-extended", "power-update"),
              ).since("2.82", events=_events("volume-extended", "power-update",
                                             "accelerator-request-bound"),
              ).since("2.93", events=_events("volume-extended", "power-update",
                                             "accelerator-request-bound", "volume-reimaged"))

ACTIONS = (
    Action("external_events:create", "POST", "/os-server-external-events", "serve",
           policy=f"{PREFIX}:create", handler=create, body=_body,
           also=(207,)),
)
