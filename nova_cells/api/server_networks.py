# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The networks of a create request, looked up: what a body may say, and what its cell is told.

What is asked for is looked up with the user's own token and becomes templates of errands; ports
are made later, by the host.  Source: the public api-ref, "Create server".
"""

import collections.abc
import ipaddress
import typing

from nova_cells.api import shapes
from nova_cells.domain import errands, errors
from nova_cells.domain import server as model
from nova_cells.network import none

# -- shapes ---------------------------------------------------------------------------------------


def _network(tag: bool) -> dict:
    fields = {"uuid": {"type": ["string", "null"], "format": "uuid"},
              "port": {"type": ["string", "null"], "format": "uuid"},
              "fixed_ip": {"type": "string", "maxLength": 45}}
    if tag:
        fields["tag"] = shapes.string(1, 60, pattern="^[^,/]*$")
    return {"type": "object", "additionalProperties": False, "properties": fields}


def _or_word(networks: dict) -> dict:
    return shapes.either(networks, {"type": "string", "enum": ["none", "auto"]})


PLAIN, TAGGED = shapes.array(_network(tag=False)), shapes.array(_network(tag=True))
WORDS, TAGGED_WORDS = _or_word(PLAIN), _or_word(TAGGED)     # from 2.37; from 2.42


# -- resolving ------------------------------------------------------------------------------------

def resolve(request: typing.Any, given: dict, count: int) -> tuple[errands.Errand, ...]:
    """Templates of the interfaces that each server of the request is to have."""
    room, wanted = request.services.network, given.get("networks")
    names = [group.get("name", "default") for group in given.get("security_groups", ())]
    if not none.there(room):
        _refuse(wanted, names)
        return ()
    if wanted == "none":
        return ()
    groups = security_groups(request, request.context.project_id, names)
    if isinstance(wanted, list) and wanted:
        found = [_asked(request, one, groups, count) for one in wanted]
    else:
        found = _automatic(request, wanted == "auto", groups)
    if found:
        _somebody_can(request)
    return tuple(errands.Errand(uuid="", server="", kind=errands.INTERFACE, interface=nic,
                                subject=nic.port_id) for nic in found)


def _refuse(wanted: typing.Any, names: list[str]) -> None:
    """No network service: only what needs none."""
    if isinstance(wanted, list) and wanted:
        raise errors.Invalid("There is no network service in this deployment: servers are "
                             "created without networks; leave networks out, or say 'none'.")
    for name in names:
        if name != "default":
            raise errors.Invalid(f"Security group {name[:64]} not found: there is no network "
                                 f"service in this deployment.")


def security_groups(request: typing.Any, project: str,
                    names: collections.abc.Iterable[str]) -> tuple[str, ...]:
    """Ids of what was named, by id or name.  ``Invalid`` for what is not there."""
    names = list(dict.fromkeys(names))
    if not names or names == ["default"]:
        return ()                        # the service's own default
    known = request.services.network.groups(project, request.context.auth_token)
    found = []
    for name in names:
        same = [uuid for uuid, other in known if name in (uuid, other)]
        if not same:
            raise errors.Invalid(f"Security group {name[:64]} not found.")
        if len(same) > 1:
            raise errors.Conflict(f"Multiple security groups found matching '{name[:64]}'. Use an "
                                  f"ID to be more specific.")
        found += same
    return tuple(found)


def interface(request: typing.Any, net: str | None = None, port: str | None = None,
              fixed_ip: str | None = None, tag: str | None = None,
              groups: tuple[str, ...] = (), server: str = "") -> model.Interface:
    """One interface that was asked for, looked up.  ``server``: that may have the port already."""
    room, token = request.services.network, request.context.auth_token
    if port is not None:
        known = room.port(port, token)
        if known.device not in ("", server):
            raise errors.Conflict(f"Port {port} is still in use.")
        if not known.fixed_ips:
            raise errors.Invalid(f"Port {port} requires a FixedIP in order to be used.")
        return model.Interface(errand="", port_id=port, net_id=known.net_id, mac=known.mac, tag=tag)
    found = room.networks(request.context.project_id, (net,), token)
    if not found:
        raise errors.NotFound(f"Network {net} could not be found.")
    if found[0].external and not found[0].shared and not request.admin:
        raise errors.Refused(f"It is not allowed to create an interface on external network {net}")
    if not found[0].subnets:
        raise errors.Invalid(f"Network {net} requires a subnet in order to boot instances on.")
    addresses: tuple[model.Address, ...] = ()
    if fixed_ip:
        if room.in_use(net, fixed_ip, token):
            raise errors.Invalid(f"Fixed IP address {fixed_ip} is already in use on network {net}.",
                                 in_use=True)
        addresses = (model.Address(network="", ip=fixed_ip, mac="",
                                   version=6 if ":" in fixed_ip else 4),)
    return model.Interface(errand="", port_id="", net_id=found[0].id, mac="", made=True, tag=tag,
                           groups=groups, addresses=addresses)


def _asked(request: typing.Any, one: dict, groups: tuple[str, ...],
           count: int) -> model.Interface:
    port, net, ip = one.get("port"), one.get("uuid"), one.get("fixed_ip")
    if ip is not None and not _is_address(ip):
        raise errors.Invalid(f"Invalid fixed IP address ({ip})")
    if port and ip:
        raise errors.Invalid(f"Specified Fixed IP '{ip}' cannot be used with port '{port}': the "
                             f"two cannot be specified together.")
    if not port and not net:
        raise errors.Invalid("Bad networks format: network uuid is not in proper format (None)")
    if count > 1 and (port or ip):
        raise errors.Invalid("Invalid launch multiple instances request: a port or a fixed IP can "
                             "be given to one instance only.")
    try:
        return interface(request, net, port, ip, one.get("tag"), groups)
    except errors.NotFound as problem:
        raise errors.Invalid(problem.message) from None


def automatic(request: typing.Any) -> list[str]:
    """The ids of the networks that may be meant when none is named."""
    room, who = request.services.network, request.context
    return [one.id for one in room.networks(who.project_id, (), who.auth_token)
            if not one.external or one.shared]


def _automatic(request: typing.Any, asked: bool,
               groups: tuple[str, ...]) -> list[model.Interface]:
    nets = automatic(request)
    if len(nets) > 1:
        raise ambiguous()
    if not nets:
        if asked:
            raise errors.Invalid(f"Unable to automatically allocate a network for project "
                                 f"{request.context.project_id}")
        return []
    return [interface(request, nets[0], groups=groups)]


def ambiguous() -> errors.Conflict:
    """The sentence that clients know."""
    return errors.Conflict("Multiple possible networks found, use a Network ID to be more "
                           "specific.")


def _somebody_can(request: typing.Any) -> None:
    """``Unsupported`` if no host that is up gives its guests interfaces."""
    with request.services.view.read() as tx:
        hosts = [host for _id, _cell, host in request.services.view.records.hosts(tx)]
    if not any(host.up and "interfaces" in host.capabilities for host in hosts):
        raise errors.Unsupported("No host of this deployment gives servers interfaces (capability: "
                                 "interfaces): say networks: none.")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
