# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Networks and floating addresses of the network service, as the Compute API showed them.

Source: the public api-ref, "Networks", "Project networks", "Floating IPs", "Floating IP pools"
(deprecated).
"""

import typing

from nova_cells.api import acting, formats, forwarding, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.forwarding import NETWORK, ask, part, row, rule
from nova_cells.domain import errors

NETWORKS, PROJECTS = acting.API + "os-networks", acting.API + "os-tenant-networks"
FLOATING, POOLS = acting.API + "os-floating-ips", acting.API + "os-floating-ip-pools"
DEFAULT_POOL = "nova"

RULES = (
    rule(f"{NETWORKS}:list", False, "List networks", "GET /os-networks"),
    rule(f"{NETWORKS}:show", False, "Show a network", "GET /os-networks/{network_id}"),
    rule(f"{PROJECTS}:list", False, "List the project's networks", "GET /os-tenant-networks"),
    rule(f"{PROJECTS}:show", False, "Show a network of the project",
         "GET /os-tenant-networks/{network_id}"),
    policy.rule(POOLS, policy.ANYONE, "List pools of floating addresses (up to 2.35).",
                "GET /os-floating-ip-pools"),
    rule(f"{FLOATING}:list", False, "List floating addresses", "GET /os-floating-ips"),
    rule(f"{FLOATING}:show", False, "Show a floating address",
         "GET /os-floating-ips/{floating_ip_id}"),
    rule(f"{FLOATING}:create", True, "Take a floating address", "POST /os-floating-ips"),
    rule(f"{FLOATING}:delete", True, "Give a floating address back",
         "DELETE /os-floating-ips/{floating_ip_id}"),
)
#: What a network showed once; all but its id and its name is null now.
_SHOWN = ("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6",
          "netmask_v6")
_SHOWN_TO_ADMINS = (
    "created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan",
    "vpn_public_address", "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id",
    "host", "bridge_interface", "multi_host", "priority", "rxtx_base", "mtu", "dhcp_server",
    "enable_dhcp", "share_address")


def _all(request: typing.Any, **query: typing.Any) -> list[dict]:
    return ask(request, NETWORK, "GET", "/networks", **query).get("networks", [])


def _one(request: typing.Any) -> dict:
    return ask(request, NETWORK, "GET", f"/networks/{part(request.args['id'])}",
               missing="Network not found")["network"]


def _network(request: typing.Any, network: dict) -> dict:
    names = (*_SHOWN, *(_SHOWN_TO_ADMINS if request.admin else ()))
    return {"id": network["id"], "label": network.get("name"), **dict.fromkeys(names)}


def _project_network(_request: typing.Any, network: dict) -> dict:
    return {"id": network.get("id"), "cidr": "None", "label": network.get("name")}


def _list(show: typing.Callable[[typing.Any, dict], dict]) -> typing.Callable:
    def index(request: typing.Any) -> dict:
        return {"networks": [show(request, network) for network in _all(request)]}
    return index


def _show(show: typing.Callable[[typing.Any, dict], dict]) -> typing.Callable:
    def one(request: typing.Any) -> dict:
        return {"network": show(request, _one(request))}
    return one


def pools(request: typing.Any) -> dict:
    """The external networks, by name."""
    found = _all(request, **{"router:external": True})
    return {"floating_ip_pools": [{"name": network.get("name") or network["id"]}
                                  for network in found]}


# -- floating addresses ---------------------------------------------------------------------------

def _floating(request: typing.Any, given: dict, network: dict | None = None) -> dict:
    if network is None:
        network = ask(request, NETWORK, "GET",
                      f"/networks/{part(given['floating_network_id'])}")["network"]
    port = given.get("port_details")
    if port is None and given.get("port_id"):
        answer = forwarding.tell(request, NETWORK, "GET", f"/ports/{part(given['port_id'])}")
        port = answer.document.get("port")
    return {"id": given["id"], "ip": given["floating_ip_address"],
            "fixed_ip": given.get("fixed_ip_address"),
            "instance_id": (port or {}).get("device_id") or None,
            "pool": network.get("name") or network["id"]}


def floating_ips(request: typing.Any) -> dict:
    """The project's."""
    answer = forwarding.tell(request, NETWORK, "GET", "/floatingips",
                             tenant_id=request.context.project_id)
    if answer.status >= 400 and answer.status != 404:    # 404: it has no routers at all
        raise forwarding.problem(answer)
    given = answer.document.get("floatingips", [])
    known = {network["id"]: network for network in _all(
        request, id=sorted({one["floating_network_id"] for one in given}))} if given else {}
    return {"floating_ips": [_floating(request, one, known.get(one["floating_network_id"]))
                             for one in given]}


def _find(request: typing.Any) -> dict:
    uuid = request.args["id"]
    return ask(request, NETWORK, "GET", f"/floatingips/{part(uuid)}",
               missing=f"Floating IP not found for ID {uuid[:255]}")["floatingip"]


def floating_ip(request: typing.Any) -> dict:
    """One."""
    return {"floating_ip": _floating(request, _find(request))}


def take(request: typing.Any) -> dict:
    """One more, from a pool."""
    pool = (request.body or {}).get("pool")
    wanted = pool or DEFAULT_POOL
    found = _all(request, **{"router:external": True,
                             "id" if formats.is_uuid(wanted) else "name": wanted})
    if not found:
        raise errors.NotFound("Floating IP pool not found.")
    if len(found) > 1:
        raise errors.Conflict(f"Multiple floating IP pools matches found for name '{wanted}'")
    answer = forwarding.tell(request, NETWORK, "POST", "/floatingips", {
        "floatingip": {"floating_network_id": found[0]["id"]}})
    kind = (answer.document.get("NeutronError") or {}).get("type", "")
    if kind in ("IpAddressGenerationFailure", "ExternalIpAddressExhausted"):
        raise errors.NotFound(f"No more floating IPs in pool {pool}." if pool
                              else "No more floating IPs available.")
    if kind == "OverQuota":
        raise errors.Refused(f"IP allocation over quota in pool {pool}." if pool
                             else "IP allocation over quota.")
    if answer.status >= 400:
        raise forwarding.problem(answer)
    return {"floating_ip": _floating(request, answer.document["floatingip"], found[0])}


def give_back(request: typing.Any) -> None:
    """One less; taken from its server first, if it has one."""
    found = _find(request)
    ask(request, NETWORK, "DELETE", f"/floatingips/{part(found['id'])}")


_pool = shapes.Value({"type": ["object", "null"], "properties": {
    "pool": {"type": ["string", "null"]}}})

ACTIONS = (
    row("networks:index", "GET", "/os-networks", f"{NETWORKS}:list", _list(_network)),
    row("networks:show", "GET", "/os-networks/{id}", f"{NETWORKS}:show", _show(_network)),
    row("tenant-networks:index", "GET", "/os-tenant-networks", f"{PROJECTS}:list",
        _list(_project_network)),
    row("tenant-networks:show", "GET", "/os-tenant-networks/{id}", f"{PROJECTS}:show",
        _show(_project_network)),
    row("floating-ip-pools:index", "GET", "/os-floating-ip-pools", POOLS, pools),
    row("floating-ips:index", "GET", "/os-floating-ips", f"{FLOATING}:list", floating_ips),
    row("floating-ips:create", "POST", "/os-floating-ips", f"{FLOATING}:create", take, body=_pool),
    row("floating-ips:show", "GET", "/os-floating-ips/{id}", f"{FLOATING}:show", floating_ip),
    row("floating-ips:delete", "DELETE", "/os-floating-ips/{id}", f"{FLOATING}:delete", give_back,
        success=202),
    *(Action(f"gone:{method}:{path}", method, path, "serve", gone=True)
      for path in ("/os-networks", "/os-tenant-networks")
      for method, path in (("POST", path), ("DELETE", path + "/{id}"))),
)
