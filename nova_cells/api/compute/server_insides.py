# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What can be seen of a guest from outside: diagnostics, topology, the password that it posted.

Diagnostics are asked from its host, the password from its cell, where alone it is kept.  Source:
the public api-ref, "Servers diagnostics", "Server topology", "Servers - server password".
"""

import typing

from nova_cells.api import acting, found, policy
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query
from nova_cells.domain import commands
from nova_cells.domain import diagnostics as diagnosing

DIAGNOSTICS = acting.API + "os-server-diagnostics"
TOPOLOGY = "compute:server:topology"
PASSWORD = acting.API + "os-server-password"
_PASSWORD_PATH = "/servers/{server_id}/os-server-password"

RULES = (
    policy.rule(DIAGNOSTICS, policy.ADMIN, "See how a server's guest is doing.",
                "GET /servers/{server_id}/diagnostics"),
    policy.rule(f"{TOPOLOGY}:index", policy.READER_OR_ADMIN, "See a server's NUMA topology "
                "(2.78).", "GET /servers/{server_id}/topology"),
    policy.rule(f"{TOPOLOGY}:host:index", policy.ADMIN, "See a server's NUMA topology with the "
                "host's part of it (2.78).", "GET /servers/{server_id}/topology"),
    policy.rule(f"{PASSWORD}:show", policy.READER_OR_ADMIN, "See the encrypted password that a "
                "server's guest posted.", f"GET {_PASSWORD_PATH}"),
    policy.rule(f"{PASSWORD}:clear", policy.MEMBER_OR_ADMIN, "Forget the password that a "
                "server's guest posted.", f"DELETE {_PASSWORD_PATH}"),
)


def diagnostics(request: typing.Any) -> dict:
    """How its guest is doing; from 2.48 the same for every hypervisor."""
    row = found.find(request, DIAGNOSTICS)
    services = request.services
    answer = found.carry_out(request, services.orders.ask(
        row.uuid, commands.ReadDiagnostics, request.origin))
    if request.version < 48:
        return diagnosing.counters(answer.diagnostics)
    launched = found.unpack(row.record).launched_at
    uptime = None if launched is None else max(0, int(services.now() - launched))
    return diagnosing.document(answer.diagnostics, uptime)


def topology(request: typing.Any) -> dict:
    """No guest here has a NUMA topology of its own."""
    found.find(request, f"{TOPOLOGY}:index")
    return {"nodes": [], "pagesize_kb": None}


def password(request: typing.Any) -> dict:
    """What its guest posted, encrypted for its owner; "" if nothing."""
    row = found.find(request, f"{PASSWORD}:show")
    if not row.placed:
        return {"password": ""}
    answer = found.carry_out(request, request.services.orders.ask(
        row.uuid, commands.ReadPassword, request.origin))
    return {"password": answer.text}


def clear_password(request: typing.Any) -> None:
    """Forget what its guest posted; the guest keeps it."""
    row = found.find(request, f"{PASSWORD}:clear")
    found.carry_out(request, request.services.orders.clear_password(row.uuid, request.origin))


_nothing = Query(strict="2.102")

ACTIONS = (
    Action("diagnostics", "GET", "/servers/{id}/diagnostics", "refuse", handler=diagnostics,
           query=_nothing),
    Action("topology", "GET", "/servers/{id}/topology", "stale", handler=topology,
           query=_nothing, since="2.78"),
    Action("server-password:show", "GET", "/servers/{id}/os-server-password", "refuse",
           handler=password, query=_nothing),
    Action("server-password:clear", "DELETE", "/servers/{id}/os-server-password", "refuse",
           handler=clear_password, success=204),
)
