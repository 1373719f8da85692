# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Addresses of a server's consoles, and what a console's token stands for.

The server's host says where the console is; the token is sealed here and kept nowhere, so every
process that has the key can check it.  It is good for ``[consoleauth] token_ttl`` seconds and only
while the server is where it was.  Source: the public api-ref, "Server consoles".
"""

import typing
import urllib.parse

from nova_cells.api import acting, found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape
from nova_cells.domain import commands, consoles, errors, lifecycle

RULE = acting.API + "os-remote-consoles"
TOKENS = acting.API + "os-console-auth-tokens"
BUSY = ("deleting", "migrating")
MALFORMED = ("The server could not comply with the request since it is either malformed or "
             "otherwise incorrect.")

RULES = (
    policy.rule(RULE, policy.MEMBER_OR_ADMIN, "Open a console of a server.",
                "POST /servers/{server_id}/remote-consoles",
                "POST /servers/{server_id}/action"),
    policy.rule(TOKENS, policy.ADMIN, "See which console a token stands for.",
                "GET /os-console-auth-tokens/{console_token}"),
)


def _address(request: typing.Any, protocol: str, kind: str) -> str:
    """The address that the user opens."""
    row = found.find(request, RULE)
    record = found.unpack(row.record)
    state = lifecycle.task_state(record)
    if state in BUSY:
        raise errors.Conflict(f"Cannot 'get_{protocol}_console' instance {row.uuid} while it is "
                              f"in task_state {state}")
    if kind not in consoles.KINDS or consoles.KINDS[kind][0] != protocol:
        raise errors.Invalid(f"Invalid console type {kind}")
    services = request.services
    answer = found.carry_out(request, services.orders.ask(
        row.uuid, commands.FindConsole, request.origin, kind=kind))
    token = services.view.seal.close_token(consoles.Claims(
        server=row.uuid, epoch=row.epoch, node=row.host, where=answer.where,
        expires=services.now() + services.conf.consoleauth.token_ttl))
    return url(answer.where, token)


def url(where: consoles.Where, token: str) -> str:
    """What the user opens.  noVNC takes the token inside its ``path``; all others beside it."""
    if where.kind != "novnc":
        return f"{where.base_url}?token={urllib.parse.quote(token)}"
    parsed = urllib.parse.urlparse(where.base_url)
    query = urllib.parse.parse_qs(parsed.query)
    query["path"] = [f"{query.get('path', [''])[0]}?token={token}"]
    return parsed._replace(query=urllib.parse.urlencode(query, doseq=True)).geturl()


def create(request: typing.Any) -> dict:
    """A console's address (2.6)."""
    given = request.body["remote_console"]
    protocol, kind = given["protocol"], given["type"]
    if protocol == "rdp":
        found.find(request, RULE)
        raise errors.Invalid(f"Unavailable console type {protocol}.")
    return {"remote_console": {"protocol": protocol, "type": kind,
                               "url": _address(request, protocol, kind)}}


def _old(protocol: str) -> typing.Callable[[typing.Any], dict]:
    """A handler of an action up to 2.5."""
    def handler(request: typing.Any) -> dict:
        kind = request.body[request.action.key]["type"]
        return {"console": {"type": kind, "url": _address(request, protocol, kind)}}
    return handler


def rdp(_request: typing.Any) -> typing.NoReturn:
    """No hypervisor has one any more."""
    raise errors.Invalid(MALFORMED)


def show_token(request: typing.Any) -> dict:
    """Where a token leads (2.31)."""
    if request.version < 31:
        raise errors.Invalid(MALFORMED)
    services = request.services
    claims = services.view.seal.open_token(request.args["token"], services.now())
    with services.view.read() as tx:
        row = services.view.servers.row(tx, claims.server) if claims is not None else None
    if row is None or row.deleted or (row.epoch, row.host) != (claims.epoch, claims.node):
        raise errors.NotFound("Token not found")
    where = claims.where
    shown = {"instance_uuid": claims.server, "host": where.host, "port": where.port,
             "internal_access_path": where.path}
    if request.version >= 99 and where.kind == "spice-direct":
        shown["tls_port"] = where.tls_port
    return {"console": shown}


def _kinds(key: str, *kinds: str) -> Shape:
    return acting.fields(key, type=shapes.one_of(*kinds))


_protocols = ("vnc", "spice", "serial", "rdp")
_types = ("novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5")
_create = Shape(remote_console=Shape(
    protocol=shapes.one_of(*_protocols), type=shapes.one_of(*_types),
).since("2.8", protocol=shapes.one_of(*_protocols, "mks"), type=shapes.one_of(*_types, "webmks"),
).since("2.99", type=shapes.one_of(*_types, "webmks", "spice-direct")))

ACTIONS = (
    acting.action("os-getVNCConsole", _old("vnc"), _kinds("os-getVNCConsole", "novnc", "xvpvnc"),
                  success=200, until="2.5"),
    acting.action("os-getSPICEConsole", _old("spice"),
                  _kinds("os-getSPICEConsole", "spice-html5"), success=200, until="2.5"),
    acting.action("os-getSerialConsole", _old("serial"), _kinds("os-getSerialConsole", "serial"),
                  success=200, until="2.5"),
    acting.action("os-getRDPConsole", rdp, success=200, until="2.5", down="serve"),
    Action("remote-consoles:create", "POST", "/servers/{id}/remote-consoles", "refuse",
           handler=create, body=_create, since="2.6"),
    Action("console-auth-tokens:show", "GET", "/os-console-auth-tokens/{token}", "serve",
           handler=show_token, policy=TOKENS, query=Query(strict="2.99")),
)
