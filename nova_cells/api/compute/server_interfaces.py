# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's interfaces: listed as the network service knows them, attached, detached.

Source: the public api-ref, "Port interfaces".
"""

import typing

from nova_cells.api import errands as api_errands
from nova_cells.api import found, policy, server_networks, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errands, errors
from nova_cells.domain import server as model
from nova_cells.network import none, protocol

PREFIX = "os_compute_api:os-attach-interfaces"
PATH = "/servers/{id}/os-interface"
_WHERE = "/servers/{server_id}/os-interface"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.READER_OR_ADMIN, "List a server's interfaces.",
                f"GET {_WHERE}"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show one of a server's interfaces.",
                f"GET {_WHERE}/{{port_id}}"),
    policy.rule(f"{PREFIX}:create", policy.MEMBER_OR_ADMIN, "Attach an interface to a server.",
                f"POST {_WHERE}"),
    policy.rule(f"{PREFIX}:delete", policy.MEMBER_OR_ADMIN, "Detach an interface from a server.",
                f"DELETE {_WHERE}/{{port_id}}"),
)


def _shown(port: protocol.Port, record: model.Server, version: int, tagged: bool = True) -> dict:
    shown: dict[str, typing.Any] = {
        "net_id": port.net_id, "port_id": port.id, "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": one.subnet_id, "ip_address": one.ip}
                      for one in port.fixed_ips]}
    if version >= 70:
        shown["tag"] = next((nic.tag for nic in record.interfaces if nic.port_id == port.id), None)
    return shown


def index(request: typing.Any) -> dict:
    """All of them."""
    row = found.find(request, f"{PREFIX}:list")
    record = found.unpack(row.record)
    ports = request.services.network.ports(row.uuid, request.context.auth_token)
    return {"interfaceAttachments": [_shown(port, record, request.version) for port in ports]}


def show(request: typing.Any) -> dict:
    """One of them."""
    row = found.find(request, f"{PREFIX}:show")
    return _one(request, row.uuid, found.unpack(row.record), request.args["port_id"])


def _one(request: typing.Any, uuid: str, record: model.Server, port_id: str) -> dict:
    room = request.services.network
    port = None
    if none.there(room):
        port = room.port(port_id, request.context.auth_token)
    if port is None or port.device != uuid:
        raise errors.NotFound(f"Instance {uuid} does not have a port with id {port_id[:255]}")
    return {"interfaceAttachment": _shown(port, record, request.version)}


def create(request: typing.Any) -> dict:
    """Attach: a port of the user's, or one that is made on a network."""
    row = found.find(request, f"{PREFIX}:create")
    given = (request.body or {}).get("interfaceAttachment") or {}
    net, port = given.get("net_id"), given.get("port_id")
    ip = given["fixed_ips"][0]["ip_address"] if given.get("fixed_ips") else None
    if net and port:
        raise errors.Invalid("Must not input both network_id and port_id")
    if ip and not net:
        raise errors.Invalid("Must input network_id when request IP address")
    found.unlocked(request, row)
    nic = _wanted(request, row, net, port, ip, given.get("tag"))
    errand = errands.Errand(uuid=request.services.ids.uuid(), server=row.uuid,
                            kind=errands.INTERFACE, interface=nic, subject=nic.port_id)
    done = api_errands.carry_out(request, row.uuid, "attach_interface", errand)
    attached = done.interface
    assert attached is not None
    return _one(request, row.uuid, model.replace(found.unpack(row.record), interfaces=(attached,)),
                attached.port_id)


def _wanted(request: typing.Any, row: typing.Any, net: str | None, port: str | None,
            ip: str | None, tag: str | None) -> model.Interface:
    """What is to be attached.  Looked up only if the server's state allows it at all."""
    record = found.unpack(row.record)
    errands.begin(errands.Errand(uuid="", server="", kind=errands.INTERFACE), "attach_interface",
                  record)
    if not none.there(request.services.network):
        raise errors.Unsupported(none.WORDS)
    try:
        if not net and not port:
            nets = server_networks.automatic(request)
            if not nets:
                raise errors.Invalid(f"No specific network was requested and none are available "
                                     f"for project '{request.context.project_id}'.")
            if len(nets) > 1:
                raise errors.Invalid(server_networks.ambiguous().message)
            net = nets[0]
        groups = server_networks.security_groups(request, row.project_id, record.security_groups)
        return server_networks.interface(request, net, port, ip, tag, groups, row.uuid)
    except errors.Invalid as problem:
        if problem.facts.get("in_use"):
            raise errors.Conflict(problem.message) from None
        raise


def delete(request: typing.Any) -> None:
    """Detach: begun, not waited for."""
    row = found.find(request, f"{PREFIX}:delete")
    found.unlocked(request, row)
    record, port_id = found.unpack(row.record), request.args["port_id"]
    nic = next((nic for nic in record.interfaces if nic.port_id == port_id), None)
    if nic is None:
        raise errors.NotFound(f"Port id {port_id[:255]} could not be found.")
    api_errands.begin(request, row.uuid, "detach_interface", errands.Errand(
        uuid=nic.errand, server=row.uuid, kind=errands.INTERFACE))


_ip = {"type": "array", "minItems": 1, "maxItems": 1, "items": {
    "type": "object", "additionalProperties": False, "required": ["ip_address"], "properties": {
        "ip_address": shapes.either(shapes.string(format="ipv4"), shapes.string(format="ipv6"))}}}
_body = Shape(interfaceAttachment=optional(Shape(
    net_id=optional(shapes.uuid), port_id=optional(shapes.uuid), fixed_ips=optional(_ip),
).since("2.49", tag=optional(shapes.string(1, 60, pattern="^[^,/]*$")))))
_nothing = Query(strict="2.102")

ACTIONS = (
    Action("interfaces:index", "GET", PATH, "stale", handler=index, query=_nothing),
    Action("interfaces:create", "POST", PATH, "refuse", handler=create, body=_body),
    Action("interfaces:show", "GET", PATH + "/{port_id}", "stale", handler=show, query=_nothing),
    Action("interfaces:delete", "DELETE", PATH + "/{port_id}", "refuse", handler=delete,
           success=202),
)
