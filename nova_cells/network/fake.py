# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A mock network service: networks, ports, addresses and security groups, in one process.

It refuses what the real one refuses: what is not there, is another's, is in use, is not of the
subnet, or is too much.  May assume nothing.  Never reaches a network, draws a random number or
reads a clock: it is exactly repeatable.  What only tests need stands at the end.
"""

import collections
import collections.abc
import contextlib
import ipaddress
import itertools
import threading
import uuid as uuids

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.network import protocol

_SPACE = uuids.UUID("0e7f0000-0000-4000-8000-000000000000")


class FakeNetworks:
    """A token that is set up by ``user`` sees what is its project's or shared; any other token,
    and our service user, sees everything."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._networks: dict[str, protocol.Network] = {}
        self._subnets: dict[str, tuple[str, protocol.FixedIp]] = {}   # id -> network, facts
        self._ports: dict[str, protocol.Port] = {}
        self._groups: dict[str, tuple[str, str]] = {}                # id -> project, name
        self._floating: dict[str, tuple[str, str] | None] = {}       # ip -> port, fixed
        self._failures: dict[str, collections.deque[tuple[Exception, bool]]] = {}
        self._users: dict[str, str] = {}                             # token -> project
        self.quota: dict[str, int] = {}                              # project -> ports

    # -- what there is --------------------------------------------------------------------------

    def networks(self, project: str, ids: tuple[str, ...] = (),
                 token: str | None = None) -> list[protocol.Network]:
        """In the order in which they were added."""
        with self._failing("networks"):
            return [one for one in self._networks.values()
                    if (one.shared or one.project_id == project or (ids and token is None))
                    and (one.id in ids if ids else True)]

    def groups(self, project: str, token: str | None = None) -> list[tuple[str, str]]:
        """The default group is there from the first look."""
        with self._failing("groups"):
            self._default(project)
            return [(uuid, name) for uuid, (owner, name) in self._groups.items()
                    if owner == project]

    def ports(self, server: str, token: str | None = None) -> list[protocol.Port]:
        """With their floating addresses."""
        with self._failing("ports"):
            return [self._seen(port) for port in self._ports.values() if port.device == server]

    def port(self, port_id: str, token: str | None = None) -> protocol.Port:
        """One."""
        with self._failing("port"):
            return self._seen(self._get(port_id, token))

    def in_use(self, net_id: str, ip: str, token: str | None = None) -> bool:
        """By any port."""
        with self._failing("in_use"):
            return ip in self._taken(net_id)

    # -- ports ----------------------------------------------------------------------------------

    def make(self, plan: protocol.Plan) -> protocol.Port:
        """The one of this key, or a new one."""
        with self._failing("make"):
            for port in self._ports.values():
                if port.key == plan.key and port.device == plan.server:
                    return self.bind(port.id, plan.server, plan.host)
            port = self._new(plan.net_id, plan.project_id, plan.fixed_ip, plan.groups)
            port = model.replace(port, key=plan.key, device=plan.server, host=plan.host,
                                 vif_type="ovs", status="ACTIVE")
            self._ports[port.id] = port
            return self._seen(port)

    def bind(self, port_id: str, server: str, host: str,
             zone: str | None = None) -> protocol.Port:
        """Bound; its guest is up at once.  On no host it is down."""
        with self._failing("bind"):
            port = self._get(port_id)
            if port.device not in ("", server):
                raise errors.Conflict(f"Port {port_id} is still in use.")
            self._ports[port_id] = model.replace(
                port, device=server, host=host, vif_type="ovs" if host else "unbound",
                status="ACTIVE" if host else "DOWN")
            return self._seen(self._ports[port_id])

    def unbind(self, port_id: str, server: str) -> None:
        """Nobody's."""
        with self._failing("unbind"):
            port = self._ports.get(port_id)
            if port is not None and port.device == server:
                self._ports[port_id] = model.replace(port, device="", host="", status="DOWN",
                                                     vif_type="unbound")

    def delete(self, port_id: str) -> None:
        """Gone, and floating addresses lead nowhere."""
        with self._failing("delete"):
            self._ports.pop(port_id, None)
            for ip, led in self._floating.items():
                if led is not None and led[0] == port_id:
                    self._floating[ip] = None

    def secure(self, port_id: str, groups: tuple[str, ...], token: str | None = None) -> None:
        """These groups."""
        with self._failing("secure"):
            for group in groups:
                if group not in self._groups:
                    raise errors.NotFound(f"Security group {group} not found.")
            self._ports[port_id] = model.replace(self._get(port_id, token), groups=groups)

    def readdress(self, port_id: str, add: str | None = None,
                  remove: str | None = None) -> protocol.Port:
        """One address more, or less."""
        with self._failing("readdress"):
            port = self._get(port_id)
            fixed = tuple(one for one in port.fixed_ips if one.ip != remove)
            if add is not None:
                fixed = (*fixed, self._address(port.net_id, None, add))
            self._ports[port_id] = model.replace(port, fixed_ips=fixed)
            return self._seen(self._ports[port_id])

    def float(self, address: str, port_id: str | None, fixed: str | None = None,
              token: str | None = None) -> str | None:
        """To the port's first address of version 4, if none is named."""
        with self._failing("float"):
            if address not in self._floating:
                raise errors.NotFound("floating IP not found")
            before = self._floating[address]
            self._floating[address] = None
            if port_id is not None:
                port = self._get(port_id, token)
                first = fixed or next(one.ip for one in port.fixed_ips if ":" not in one.ip)
                self._floating[address] = (port_id, first)
            return before[0] if before is not None else None

    # -- how it works ---------------------------------------------------------------------------

    def _get(self, port_id: str, token: str | None = None) -> protocol.Port:
        port = self._ports.get(port_id)
        mine = self._users.get(token) if token is not None else None
        if port is None or (mine is not None and port.project_id != mine):
            raise errors.NotFound(f"Port id {port_id} could not be found.")
        return port

    def _seen(self, port: protocol.Port) -> protocol.Port:
        led = collections.defaultdict(list)
        for ip, where in self._floating.items():
            if where is not None and where[0] == port.id:
                led[where[1]].append(ip)
        network = self._networks[port.net_id]
        return model.replace(port, label=network.name, mtu=network.mtu, fixed_ips=tuple(
            model.replace(one, floating=tuple(led[one.ip])) for one in port.fixed_ips))

    def _new(self, net_id: str, project: str, ip: str | None,
             groups: tuple[str, ...]) -> protocol.Port:
        network = self._networks.get(net_id)
        if network is None:
            raise errors.NotFound(f"Network {net_id} could not be found.")
        had = sum(port.project_id == project for port in self._ports.values())
        if 0 <= self.quota.get(project, -1) <= had:
            raise errors.OverLimit("Maximum number of ports exceeded")
        number = next(self._numbers)
        fixed = (self._address(net_id, ip),) if network.subnets else ()
        mac = "fa:16:3e:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))
        return protocol.Port(
            id=str(uuids.uuid5(_SPACE, f"port {number}")), net_id=net_id, mac=mac,
            project_id=project, fixed_ips=fixed, groups=groups or (self._default(project),))

    def _address(self, net_id: str, ip: str | None, subnet: str | None = None,
                 ) -> protocol.FixedIp:
        taken = self._taken(net_id)
        if ip is not None and ip in taken:
            raise errors.Conflict(f"Fixed IP address {ip} is already in use on network {net_id}.")
        for uuid, (network, facts) in self._subnets.items():
            if network != net_id or subnet not in (None, uuid):
                continue
            for host in ipaddress.ip_network(facts.cidr).hosts():
                found = str(host)
                if found != facts.gateway and found not in taken and ip in (None, found):
                    return model.replace(facts, ip=found, subnet_id=uuid)
        if ip is not None:
            raise errors.Invalid(f"Fixed IP {ip} is not a valid ip address for network {net_id}.")
        raise errors.Invalid(f"No fixed IP addresses available for network: {net_id}")

    def _taken(self, net_id: str) -> set[str]:
        return {one.ip for port in self._ports.values() if port.net_id == net_id
                for one in port.fixed_ips}

    def _default(self, project: str) -> str:
        for uuid, (owner, name) in self._groups.items():
            if (owner, name) == (project, "default"):
                return uuid
        return self.add_group(project, "default")

    @contextlib.contextmanager
    def _failing(self, method: str) -> collections.abc.Iterator[None]:
        """Raise what a test asked for, before or after the work."""
        with self._lock:
            failures = self._failures.get(method)
            problem, after = failures.popleft() if failures else (None, False)
            if problem is not None and not after:
                raise problem
            yield
            if problem is not None:
                raise problem

    # -- for tests and development ----------------------------------------------------------------

    def add_network(self, name: str, project: str = "", cidr: str | None = "10.0.0.0/24",
                    shared: bool = False) -> str:
        """A network with a subnet (``cidr`` None: without).  Its id."""
        net = str(uuids.uuid5(_SPACE, f"network {next(self._numbers)}"))
        subnets: tuple[str, ...] = ()
        if cidr is not None:
            subnets = (str(uuids.uuid5(_SPACE, f"subnet {net}")),)
            first = next(ipaddress.ip_network(cidr).hosts())
            self._subnets[subnets[0]] = (net, protocol.FixedIp(
                ip="", cidr=cidr, gateway=str(first), dns=("192.0.2.53",)))
        self._networks[net] = protocol.Network(id=net, name=name, project_id=project,
                                               shared=shared, subnets=subnets, mtu=1450)
        return net

    def add_port(self, net_id: str, project: str, ip: str | None = None) -> protocol.Port:
        """A port of a user's own."""
        port = self._new(net_id, project, ip, ())
        self._ports[port.id] = port
        return port

    def add_group(self, project: str, name: str) -> str:
        """A security group.  Its id."""
        uuid = str(uuids.uuid5(_SPACE, f"group {next(self._numbers)}"))
        self._groups[uuid] = (project, name)
        return uuid

    def add_floating(self, ip: str) -> None:
        """A floating address that leads nowhere yet."""
        self._floating[ip] = None

    def user(self, token: str, project: str) -> None:
        """This token is of that project."""
        self._users[token] = project

    def all_ports(self) -> list[protocol.Port]:
        """All there are (for checks)."""
        return list(self._ports.values())

    def fail_next(self, method: str, problem: Exception, after: bool = False) -> None:
        """Make the next call of a method fail: before its work, or after it (a lost answer)."""
        self._failures.setdefault(method, collections.deque()).append((problem, after))
