# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Nodes of the bare metal service, as the Compute API showed them.

Source: the public api-ref, "Bare metal nodes" (deprecated).
"""

import typing

from nova_cells.api import acting, policy
from nova_cells.api.catalogue import Action
from nova_cells.api.forwarding import BAREMETAL, LAST, ask, part, row
from nova_cells.api.shapes import Shape
from nova_cells.domain import errors

PREFIX = acting.API + "os-baremetal-nodes"
PATH, ITEM = "/os-baremetal-nodes", "/os-baremetal-nodes/{id}"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ADMIN, "List bare metal nodes (up to 2.35).",
                "GET /os-baremetal-nodes"),
    policy.rule(f"{PREFIX}:show", policy.ADMIN, "Show a bare metal node (up to 2.35).",
                "GET /os-baremetal-nodes/{node_id}"),
)


def _node(given: dict) -> dict:
    has = given.get("properties") or {}
    return {"id": given["uuid"], "interfaces": [], "host": "IRONIC MANAGED",
            "task_state": given.get("provision_state"), "cpus": str(has.get("cpus", 0)),
            "memory_mb": str(has.get("memory_mb", 0)), "disk_gb": str(has.get("local_gb", 0))}


def index(request: typing.Any) -> dict:
    """All of them."""
    return {"nodes": [_node(one) for one in ask(
        request, BAREMETAL, "GET", "/nodes/detail")["nodes"]]}


def show(request: typing.Any) -> dict:
    """One, with the addresses of its ports."""
    uuid = request.args["id"]
    given = ask(request, BAREMETAL, "GET", f"/nodes/{part(uuid)}",
                missing=f"Node {uuid[:255]} could not be found.")
    ports = ask(request, BAREMETAL, "GET", "/ports", node=given["uuid"])["ports"]
    return {"node": {**_node(given), "instance_uuid": given.get("instance_uuid"),
                     "interfaces": [{"address": port["address"]} for port in ports]}}


def elsewhere(command: str) -> typing.Callable[[typing.Any], typing.NoReturn]:
    """What only the bare metal service does."""
    def handler(_request: typing.Any) -> typing.NoReturn:
        raise errors.Invalid(f"Command not supported. Please use Ironic command {command} to "
                             f"perform this action.")
    return handler


_any = Shape(extra=True)

ACTIONS = (
    row("nodes:index", "GET", PATH, f"{PREFIX}:list", index),
    row("nodes:create", "POST", PATH, None, elsewhere("node-create"), body=_any),
    row("nodes:show", "GET", ITEM, f"{PREFIX}:show", show),
    row("nodes:delete", "DELETE", ITEM, None, elsewhere("node-delete")),
    *(Action(key, "POST", ITEM + "/action", "serve", handler=elsewhere(command),
             body=acting.bare(key), until=LAST)
      for key, command in (("add_interface", "port-create"), ("remove_interface", "port-delete"))),
)
