# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Networks from the Networking service, version 2.0.

What users name is looked up with their own token; ports are made and bound as our service user,
for the user's project.  A port that we made says in its description whose errand it is.  May assume
a keystoneauth session that can authenticate.  Never keeps a token.
"""

import typing

import requests
from keystoneauth1 import adapter, loading
from keystoneauth1 import exceptions as ks
from oslo_config import cfg
from oslo_log import log

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.network import protocol

LOG = log.getLogger(__name__)
OWNER = "compute:"                       # device_owner: this, and the availability zone
_KEY = "nova_cells errand "              # before an errand's uuid, in a port's description
Json = dict[str, typing.Any]


def from_conf(conf: cfg.ConfigOpts) -> "NeutronRoom":
    """The room, as the service user of ``[service_user]``."""
    loading.register_auth_conf_options(conf, "service_user")
    auth = loading.load_auth_from_conf_options(conf, "service_user")
    if auth is None:
        raise errors.Invalid("[service_user] auth_type is not set: ports are made by a user of our "
                             "own; see etc/nova-cells")
    session = loading.load_session_from_conf_options(conf, "service_user", auth=auth)
    return NeutronRoom(adapter.Adapter(
        session, service_type="network", interface=conf.neutron.valid_interfaces,
        region_name=conf.neutron.region_name, endpoint_override=conf.neutron.endpoint_override,
        status_code_retries=0, raise_exc=False, client_name="nova-cells"),
        timeout=conf.neutron.timeout, retries=conf.neutron.http_retries)


class NeutronRoom:
    """The network service behind an adapter that is authenticated as our service user."""

    def __init__(self, service: adapter.Adapter, timeout: float = 60, retries: int = 0) -> None:
        self._service, self._timeout, self._retries = service, timeout, retries

    # -- looking --------------------------------------------------------------------------------

    def networks(self, project: str, ids: tuple[str, ...] = (),
                 token: str | None = None) -> list[protocol.Network]:
        """The project's own, then shared ones."""
        if ids:
            return [_network(one) for one in self._list("networks", token, id=list(ids))]
        found = self._list("networks", token, tenant_id=project, shared="false",
                           admin_state_up="true")
        found += self._list("networks", token, shared="true")
        return [_network(one) for one in {one["id"]: one for one in found}.values()]

    def groups(self, project: str, token: str | None = None) -> list[tuple[str, str]]:
        """Of the project alone."""
        return [(one["id"], one["name"]) for one in self._list(
            "security-groups", token, tenant_id=project, fields=["id", "name"])]

    def ports(self, server: str, token: str | None = None) -> list[protocol.Port]:
        """With networks, subnets and floating addresses."""
        return self._ports(self._list("ports", token, device_id=server), token)

    def port(self, port_id: str, token: str | None = None) -> protocol.Port:
        """One."""
        found = self._ask("GET", f"ports/{port_id}", token)["port"]
        return self._ports([found], token)[0]

    def in_use(self, net_id: str, ip: str, token: str | None = None) -> bool:
        """As far as our service user sees: everything."""
        return bool(self._list("ports", None, network_id=net_id,
                               fixed_ips=[f"ip_address={ip}"], fields=["id"]))

    # -- ports ----------------------------------------------------------------------------------

    def make(self, plan: protocol.Plan) -> protocol.Port:
        """Looked for before it is made: the answer to the first time may have been lost."""
        for port in self._list("ports", None, device_id=plan.server):
            if port.get("description") == _KEY + plan.key:
                return self.bind(port["id"], plan.server, plan.host, plan.zone)
        wanted: Json = {"network_id": plan.net_id, "tenant_id": plan.project_id,
                        "admin_state_up": True, "description": _KEY + plan.key,
                        **_bound(plan.server, plan.host, plan.zone)}
        if plan.fixed_ip:
            wanted["fixed_ips"] = [{"ip_address": plan.fixed_ip}]
        if plan.groups:
            wanted["security_groups"] = list(plan.groups)
        made = self._ask("POST", "ports", None, {"port": wanted})["port"]
        LOG.info("server=%s port=%s made", plan.server, made["id"])
        return self._checked(made, plan.host)

    def bind(self, port_id: str, server: str, host: str,
             zone: str | None = None) -> protocol.Port:
        """Refused by us while another server has it: the service itself would not."""
        known = self._ask("GET", f"ports/{port_id}", None)["port"]
        if known.get("device_id") not in ("", None, server):
            raise errors.Conflict(f"Port {port_id} is still in use.")
        body = _bound(server, host, zone) | ({} if host else {"binding:profile": {}})
        bound = self._ask("PUT", f"ports/{port_id}", None, {"port": body})
        return self._checked(bound["port"], host)

    def _checked(self, port: Json, host: str) -> protocol.Port:
        if port.get("binding:vif_type") == "binding_failed":
            raise errors.HostTrouble(f"Binding failed for port {port['id']} on host {host}: see "
                                     f"the log of the network service")
        return self._ports([port], None)[0]

    def unbind(self, port_id: str, server: str) -> None:
        """Only if it is still this server's."""
        try:
            known = self._ask("GET", f"ports/{port_id}", None)["port"]
            if known.get("device_id") == server:
                self._ask("PUT", f"ports/{port_id}", None, {"port": {
                    "device_id": "", "device_owner": "", "binding:host_id": "",
                    "binding:profile": {}}})
        except errors.NotFound:
            return

    def delete(self, port_id: str) -> None:
        """Succeeds when it is gone."""
        try:
            self._ask("DELETE", f"ports/{port_id}", None)
        except errors.NotFound:
            return

    def secure(self, port_id: str, groups: tuple[str, ...], token: str | None = None) -> None:
        """As the user."""
        self._ask("PUT", f"ports/{port_id}", token, {"port": {"security_groups": list(groups)}})

    def readdress(self, port_id: str, add: str | None = None,
                  remove: str | None = None) -> protocol.Port:
        """The whole list of addresses, put anew."""
        known = self._ask("GET", f"ports/{port_id}", None)["port"]
        fixed = [one for one in known["fixed_ips"] if one.get("ip_address") != remove]
        if add is not None:
            fixed.append({"subnet_id": add})
        changed = self._ask("PUT", f"ports/{port_id}", None, {"port": {"fixed_ips": fixed}})
        return self._ports([changed["port"]], None)[0]

    def float(self, address: str, port_id: str | None, fixed: str | None = None,
              token: str | None = None) -> str | None:
        """As the user."""
        found = self._list("floatingips", token, floating_ip_address=address)
        if not found:
            raise errors.NotFound("floating IP not found")
        change = {"port_id": port_id, "fixed_ip_address": fixed} if port_id else {"port_id": None}
        self._ask("PUT", f"floatingips/{found[0]['id']}", token, {"floatingip": change})
        return found[0].get("port_id")

    # -- how it works ---------------------------------------------------------------------------

    def _ports(self, given: list[Json], token: str | None) -> list[protocol.Port]:
        """Ports with the names and facts that stand elsewhere: three questions for all of them."""
        if not given:
            return []
        nets = {one["id"]: one for one in self._list(
            "networks", None, id=sorted({one["network_id"] for one in given}))}
        subnets = {one["id"]: one for one in self._list("subnets", None, id=sorted(
            {ip["subnet_id"] for one in given for ip in one.get("fixed_ips") or ()}))}
        floating: dict[tuple[str, str], list[str]] = {}
        for one in self._floating([port["id"] for port in given]):
            key = (one["port_id"], one.get("fixed_ip_address") or "")
            floating.setdefault(key, []).append(one["floating_ip_address"])
        return [_port(one, nets.get(one["network_id"], {}), subnets, floating) for one in given]

    def _floating(self, ports: list[str]) -> list[Json]:
        try:
            return self._list("floatingips", None, port_id=ports)
        except errors.NotFound:          # it has no routers at all
            return []

    def _list(self, what: str, token: str | None, **query: object) -> list[Json]:
        if query.get("id") == []:
            return []
        return self._ask("GET", what, token, params=query)[what.replace("-", "_")]

    def _ask(self, method: str, path: str, token: str | None, body: Json | None = None,
             params: dict[str, object] | None = None) -> Json:
        """One request as our service user, or with somebody's token instead of ours."""
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["X-Auth-Token"] = token
        try:
            url = f"{self._base()}/v2.0/{path}"
            how: dict[str, typing.Any] = {"params": params} if params else {}
            if body is not None:
                how["json"] = body
            reply = self._service.request(
                url, method, headers=headers, timeout=self._timeout, authenticated=token is None,
                connect_retries=self._retries if token is None else min(1, self._retries), **how)
            return self._read(reply, ours=token is None)
        except (ks.ClientException, requests.RequestException, ValueError) as error:
            LOG.warning("the network service does not answer: %s", error)
            raise protocol.Unreachable("the network service does not answer; try again later")

    def _base(self) -> str:
        base = self._service.endpoint_override or self._service.get_endpoint()
        if not base:
            raise protocol.Unreachable("the network service is not in the catalogue")
        return str(base).rstrip("/").removesuffix("/v2.0")

    def _read(self, reply: requests.Response, ours: bool) -> Json:
        if reply.status_code < 400:
            return reply.json() if reply.content else {}
        said = _sentence(reply)
        kind, sentence = said
        if reply.status_code == 401 or (reply.status_code == 403 and ours):
            raise protocol.Unreachable("the network service refuses us: check the roles and the "
                                       "password in [service_user]")
        if "OverQuota" in kind:
            raise errors.OverLimit("Maximum number of ports exceeded")
        if "IpAddressGenerationFailure" in kind:
            raise errors.Invalid("No fixed IP addresses available for network")
        if reply.status_code == 403:
            raise errors.Refused(sentence)
        if reply.status_code == 404:
            raise errors.NotFound(sentence)
        if reply.status_code == 409:
            raise errors.Conflict(sentence)
        if reply.status_code < 500:
            raise errors.Invalid(sentence)
        raise protocol.Unreachable(f"the network service answers {reply.status_code}: see its log")


def _sentence(reply: requests.Response) -> tuple[str, str]:
    """(kind, sentence) of a refusal."""
    try:
        given = reply.json().get("NeutronError", {})
    except (ValueError, AttributeError):
        given = {}
    if isinstance(given, str):
        return "", given
    return given.get("type", ""), given.get("message", "The network service refused the request.")


def _bound(server: str, host: str, zone: str | None) -> Json:
    return {"device_id": server, "device_owner": OWNER + (zone or "None"),
            "binding:host_id": host}


def _network(given: Json) -> protocol.Network:
    return protocol.Network(
        id=given["id"], name=given.get("name") or "", project_id=given.get("tenant_id") or "",
        shared=bool(given.get("shared")), external=bool(given.get("router:external")),
        subnets=tuple(given.get("subnets") or ()), mtu=given.get("mtu"),
        port_security=bool(given.get("port_security_enabled", True)))


def _port(given: Json, network: Json, subnets: dict[str, Json],
          floating: dict[tuple[str, str], list[str]]) -> protocol.Port:
    description = given.get("description") or ""
    return protocol.Port(
        id=given["id"], net_id=given["network_id"], mac=given["mac_address"],
        label=network.get("name") or "", project_id=given.get("tenant_id") or "",
        status=given.get("status") or "DOWN", device=given.get("device_id") or "",
        host=given.get("binding:host_id") or "",
        vif_type=given.get("binding:vif_type") or "unbound", mtu=network.get("mtu"),
        key=description.removeprefix(_KEY) if description.startswith(_KEY) else "",
        groups=tuple(given.get("security_groups") or ()),
        fixed_ips=tuple(_fixed(given["id"], ip, subnets.get(ip["subnet_id"], {}), floating)
                        for ip in given.get("fixed_ips") or ()))


def _fixed(port: str, given: Json, subnet: Json,
           floating: dict[tuple[str, str], list[str]]) -> protocol.FixedIp:
    return model.replace(
        protocol.FixedIp(ip=given["ip_address"]), subnet_id=given["subnet_id"],
        cidr=subnet.get("cidr") or "", gateway=subnet.get("gateway_ip"),
        dns=tuple(subnet.get("dns_nameservers") or ()),
        routes=tuple((route["destination"], route["nexthop"])
                     for route in subnet.get("host_routes") or ()),
        floating=tuple(floating.get((port, given["ip_address"]), ())))
