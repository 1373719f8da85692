# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Addresses and security groups of a server's interfaces, as server actions changed them.

Fixed addresses are the host's errand; floating ones and groups are asked of the network service
with the user's own token, and the record then shows them.  Source: the public api-ref, "Servers -
run an action" (deprecated ones), "Server security groups".
"""

import typing

from nova_cells.api import acting, found, policy, shapes
from nova_cells.api import errands as api_errands
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional
from nova_cells.domain import errands, errors
from nova_cells.domain import server as model
from nova_cells.network import none, protocol

GROUPS = "os-security-groups"
RULES = (
    acting.rule("os-multinic:add"), acting.rule("os-multinic:remove"),
    acting.rule("os-floating-ips:add"), acting.rule("os-floating-ips:remove"),
    acting.rule(f"{GROUPS}:add"), acting.rule(f"{GROUPS}:remove"),
    policy.rule(acting.API + f"{GROUPS}:list", policy.READER_OR_ADMIN, "List the security groups "
                "of a server.", "GET /servers/{server_id}/os-security-groups"),
)


def _server(request: typing.Any, rule: str) -> tuple[typing.Any, model.Server, typing.Any]:
    """The row, the record, and the network room, which must be there."""
    row = acting.allowed(request, rule)
    if not none.there(request.services.network):
        raise errors.Unsupported(none.WORDS)
    return row, found.unpack(row.record), request.services.network


def _change(request: typing.Any, uuid: str, nic: model.Interface, **options: str) -> None:
    """Have the host change, or look at, a port; not waited for."""
    api_errands.begin(request, uuid, "change_interface", errands.Errand(
        uuid=nic.errand, server=uuid, kind=errands.INTERFACE), options)


# -- fixed addresses ------------------------------------------------------------------------------

def add_fixed_ip(request: typing.Any) -> None:
    """One more on a network that it is on."""
    row, record, room = _server(request, "os-multinic:add")
    net = str(request.body["addFixedIp"]["networkId"])
    nic = next((nic for nic in record.interfaces if nic.net_id == net), None)
    if nic is None:
        raise errors.Invalid(f"Network could not be found for instance {row.uuid}.")
    port = room.port(nic.port_id, request.context.auth_token)
    subnet = next((one.subnet_id for one in port.fixed_ips), None)
    if subnet is None:
        raise errors.Invalid(f"Port {port.id} has no subnet.")
    _change(request, row.uuid, nic, add=subnet,
            known=" ".join(sorted(one.ip for one in port.fixed_ips)))


def remove_fixed_ip(request: typing.Any) -> None:
    """One less."""
    row, record, _room = _server(request, "os-multinic:remove")
    address = request.body["removeFixedIp"]["address"]
    _change(request, row.uuid, _having(record, address, row.uuid), remove=address)


def _having(record: model.Server, address: str, uuid: str) -> model.Interface:
    for nic in record.interfaces:
        if any(one.ip == address and one.kind == "fixed" for one in nic.addresses):
            return nic
    raise errors.NotFound(f"Fixed IP not found for instance {uuid}: {address}")


# -- floating addresses ---------------------------------------------------------------------------

def add_floating_ip(request: typing.Any) -> None:
    """Lead a floating address here."""
    row, record, room = _server(request, "os-floating-ips:add")
    given = request.body["addFloatingIp"]
    usable = [(nic, one.ip) for nic in record.interfaces for one in nic.addresses
              if one.kind == "fixed" and one.version == 4]
    if not usable:
        raise errors.Invalid("No fixed IPs associated to instance")
    fixed = given.get("fixed_address")
    chosen = next(((nic, ip) for nic, ip in usable if fixed in (None, ip)), None)
    if chosen is None:
        raise errors.Invalid("Specified fixed address not assigned to instance")
    nic, ip = chosen
    room.float(given["address"], nic.port_id, ip, request.context.auth_token)
    _change(request, row.uuid, nic)


def remove_floating_ip(request: typing.Any) -> None:
    """Lead it nowhere."""
    row, record, room = _server(request, "os-floating-ips:remove")
    address = request.body["removeFloatingIp"]["address"]
    for nic in record.interfaces:
        port = room.port(nic.port_id, request.context.auth_token)
        if any(address in one.floating for one in port.fixed_ips):
            room.float(address, None, None, request.context.auth_token)
            _change(request, row.uuid, nic)
            return
    raise errors.Conflict(f"Floating IP {address} is not associated with instance {row.uuid}.")


# -- security groups ------------------------------------------------------------------------------

def _group(request: typing.Any, project: str, name: str) -> tuple[str, str]:
    known = request.services.network.groups(project, request.context.auth_token)
    same = [(uuid, other) for uuid, other in known if name in (uuid, other)]
    if not same:
        raise errors.NotFound(f"Security group {name[:255]} not found.")
    if len(same) > 1:
        raise errors.Conflict(f"Multiple security groups found matching '{name[:255]}'. Use an ID "
                              f"to be more specific.")
    return same[0]


def _secure(request: typing.Any, key: str, rule: str, adding: bool) -> None:
    row, record, room = _server(request, rule)
    uuid, name = _group(request, row.project_id, request.body[key]["name"])
    ports: list[protocol.Port] = room.ports(row.uuid, request.context.auth_token)
    if not ports:
        raise errors.Invalid(f"Instance {row.uuid} has no ports that could be in security group "
                             f"{name}.")
    if not adding and not any(uuid in port.groups for port in ports):
        raise errors.NotFound(f"Security group {uuid} not associated with the instance {row.uuid}")
    for port in ports:
        if (uuid in port.groups) != adding:
            groups = (*port.groups, uuid) if adding else tuple(
                one for one in port.groups if one != uuid)
            room.secure(port.id, groups, request.context.auth_token)
    names = [one for one in record.security_groups if one != name] + ([name] if adding else [])
    services = request.services
    found.carry_out(request, services.orders.update(
        row.uuid, {"security_groups": tuple(names)}, request.origin, services.now()))


def add_group(request: typing.Any) -> None:
    """Every port of it is in one group more."""
    _secure(request, "addSecurityGroup", "os-security-groups:add", adding=True)


def remove_group(request: typing.Any) -> None:
    """Every port of it is in one group less."""
    _secure(request, "removeSecurityGroup", "os-security-groups:remove", adding=False)


def groups(request: typing.Any) -> dict:
    """Those that its ports are in; their rules are the network service's to show."""
    row = found.find(request, acting.API + f"{GROUPS}:list")
    room, token = request.services.network, request.context.auth_token
    if not none.there(room):
        return {"security_groups": []}
    known = dict(room.groups(row.project_id, token))
    used = dict.fromkeys(group for port in room.ports(row.uuid, token) for group in port.groups)
    return {"security_groups": [
        {"id": uuid, "name": known.get(uuid, uuid), "description": "", "rules": [],
         "tenant_id": row.project_id} for uuid in used]}


_address = shapes.either(shapes.string(format="ipv4"), shapes.string(format="ipv6"))
_name = shapes.string(1, 255)
_floating = acting.fields("addFloatingIp", address=_address, fixed_address=optional(_address))

ACTIONS = (
    acting.action("addFixedIp", add_fixed_ip, acting.fields(
        "addFixedIp", networkId={"type": ["string", "number"], "minLength": 1, "maxLength": 36}),
        until="2.43"),
    acting.action("removeFixedIp", remove_fixed_ip, acting.fields(
        "removeFixedIp", address=_address), until="2.43"),
    acting.action("addFloatingIp", add_floating_ip, _floating, until="2.43"),
    acting.action("removeFloatingIp", remove_floating_ip, acting.fields(
        "removeFloatingIp", address=_address), until="2.43"),
    acting.action("addSecurityGroup", add_group, acting.fields("addSecurityGroup", name=_name)),
    acting.action("removeSecurityGroup", remove_group, acting.fields(
        "removeSecurityGroup", name=_name)),
    Action("security_groups:of_server", "GET", "/servers/{id}/os-security-groups", "stale",
           handler=groups, query=Query(strict="2.102")),
)
