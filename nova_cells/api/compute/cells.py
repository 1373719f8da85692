# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Cells, for operators: a resource of our own, under a name that the Compute API does not use.

It shows how each cell is as the view last heard of it, and how old that is (strict clients
allow no such key in the usual documents).  Never shows a transport URL: it holds a password.
"""

import typing

from nova_cells.api import fleet, found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Shape, optional
from nova_cells.db import again
from nova_cells.domain import errors

RULE = "nova_cells:cells"
LIST, ITEM = "/nova-cells/cells", "/nova-cells/cells/{id}"

UPDATE = f"{RULE}:update"

RULES = (
    policy.rule(RULE, policy.ADMIN, "List and show cells", f"GET {LIST}", f"GET {ITEM}"),
    policy.rule(UPDATE, policy.ADMIN, "Enable or disable a cell", f"PUT {ITEM}"),
)


def _document(request: typing.Any, tx: typing.Any, cell: typing.Any,
              slots: dict[str, typing.Any], up: dict[str, list[bool]]) -> dict[str, typing.Any]:
    now, view = request.services.now(), request.services.view
    alive, hosts = request.services.pulse.alive(cell), up.get(cell.uuid, [])
    hosts_up = sum(hosts) if alive else 0
    return {
        "uuid": cell.uuid, "name": cell.name, "enabled": cell.enabled,
        "disabled_reason": cell.disabled_reason,
        "state": "up" if alive else "down",
        "heard_at": fleet.moment(cell.heard_at) if cell.heard_at else None,
        "age_seconds": round(max(0.0, now - cell.heard_at), 3) if cell.heard_at else None,
        "halted_reason": cell.halted, "resyncing": cell.resyncing,
        "servers": view.servers.live_in(tx, cell.uuid),
        "hosts_up": hosts_up, "hosts_down": len(hosts) - hosts_up,
        "slots": _slots(slots.get(cell.uuid)),
        "created_at": fleet.moment(cell.created_at)}


def _slots(record: typing.Any) -> dict[str, typing.Any] | None:
    """How many more servers of each shape fit, by the cell's own count; null: not counted yet."""
    if record is None:
        return None
    return {"hosts": record.hosts, "fullness": record.fullness, "catalogue": record.catalogue,
            "shapes": record.slots, "zones": record.zones}


def _up(view: typing.Any, tx: typing.Any) -> dict[str, list[bool]]:
    """cell -> of each of its hosts, whether it is up."""
    found: dict[str, list[bool]] = {}
    for _number, cell, host in view.records.hosts(tx):
        found.setdefault(cell, []).append(host.up and not host.forced_down)
    return found


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Every cell."""
    request.cells.add(found.EVERY)
    view = request.services.view
    with view.read() as tx:
        slots, up = view.records.slots(tx), _up(view, tx)
        return {"cells": [_document(request, tx, cell, slots, up) for cell in view.cells.all(tx)]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One cell, by uuid or name."""
    view = request.services.view
    with view.read() as tx:
        cell = view.cells.find(tx, request.args["id"])
        request.cells.add(cell.uuid)
        return {"cell": _document(request, tx, cell, view.records.slots(tx), _up(view, tx))}


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Whether new servers may go there; those that are there are served either way."""
    given = request.body["cell"]
    enabled = shapes.truth(given["enabled"])
    if enabled and given.get("disabled_reason") is not None:
        raise errors.Invalid("A reason says why a cell is disabled; this one would be enabled.")
    again.decide(_set, request, enabled, given.get("disabled_reason"))
    return show(request)


def _set(request: typing.Any, enabled: bool, reason: str | None) -> None:
    view = request.services.view
    with view.write() as tx:
        cell = view.cells.find(tx, request.args["id"])
        view.cells.set_enabled(tx, cell.uuid, enabled, reason, request.services.now())


_update = Shape(cell=Shape(enabled=shapes.boolean, disabled_reason=optional(
    {"type": ["string", "null"], "minLength": 1, "maxLength": 255})))

ACTIONS = (
    Action("cells:index", "GET", LIST, "stale", policy=RULE, handler=index),
    Action("cells:show", "GET", ITEM, "stale", policy=RULE, handler=show),
    Action("cells:update", "PUT", ITEM, "serve", policy=UPDATE, handler=update, body=_update),
)
