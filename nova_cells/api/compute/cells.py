# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Cells, for operators: a resource of our own, under a name that the Compute API does not use.

It shows how each cell is as the view last heard of it, and how old that is (strict clients
allow no such key in the usual documents).  Never shows a transport URL: it holds a password.
"""

import typing

from nova_cells.api import fleet, policy
from nova_cells.api.catalogue import Action

RULE = "nova_cells:cells"
LIST, ITEM = "/nova-cells/cells", "/nova-cells/cells/{id}"

RULES = (policy.rule(RULE, policy.ADMIN, "List and show cells", f"GET {LIST}", f"GET {ITEM}"),)


def _document(request: typing.Any, tx: typing.Any, cell: typing.Any,
              slots: dict[str, typing.Any]) -> dict[str, typing.Any]:
    now, view = request.services.now(), request.services.view
    return {
        "uuid": cell.uuid, "name": cell.name, "enabled": cell.enabled,
        "disabled_reason": cell.disabled_reason,
        "state": "up" if fleet.alive(cell, now) else "down",
        "heard_at": fleet.moment(cell.heard_at) if cell.heard_at else None,
        "age_seconds": round(max(0.0, now - cell.heard_at), 3) if cell.heard_at else None,
        "halted_reason": cell.halted, "resyncing": cell.resyncing,
        "servers": view.servers.live_in(tx, cell.uuid), "slots": _slots(slots.get(cell.uuid)),
        "created_at": fleet.moment(cell.created_at)}


def _slots(record: typing.Any) -> dict[str, typing.Any] | None:
    """How many more servers of each shape fit, by the cell's own count; null: not counted yet."""
    if record is None:
        return None
    return {"hosts": record.hosts, "fullness": record.fullness, "catalogue": record.catalogue,
            "shapes": record.slots, "zones": record.zones}


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Every cell."""
    view = request.services.view
    with view.read() as tx:
        slots = view.records.slots(tx)
        return {"cells": [_document(request, tx, cell, slots) for cell in view.cells.all(tx)]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One cell, by uuid or name."""
    view = request.services.view
    with view.read() as tx:
        cell = view.cells.find(tx, request.args["id"])
        return {"cell": _document(request, tx, cell, view.records.slots(tx))}


ACTIONS = (
    Action("cells:index", "GET", LIST, policy=RULE, handler=index),
    Action("cells:show", "GET", ITEM, policy=RULE, handler=show),
)
