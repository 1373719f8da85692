# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the network service promises us.

A server's interface is a *port* of the network service.  A port that we make carries the uuid of
its errand (``key``) from its first moment, so one whose answer was lost is found again; a port of
the user's is bound, and unbound again.  ``token`` is the asking user's and is used for the one
request in which it came; without it we ask as our own service user.

Every call raises ``NotFound`` for what is not there or may not be seen, ``Conflict`` for what is
in use, ``OverLimit`` past the project's quota, ``Invalid`` for what the service refuses, and
``Unreachable`` when it does not answer: then what was asked may have happened.  ``make``, ``bind``,
``unbind`` and ``delete`` may be repeated.
"""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model


class Unreachable(errors.Problem):
    """The network service does not answer: 503 to a user, another try for a host."""

    family = "cell_down"


class Network(model.Value, kw_only=True):
    """A network, as far as servers care."""

    id: str
    name: str = ""
    project_id: str = ""
    shared: bool = False
    external: bool = False
    subnets: tuple[str, ...] = ()
    mtu: int | None = None
    port_security: bool = True


class FixedIp(model.Value, kw_only=True):
    """An address of a port, with what a guest must know of its subnet."""

    ip: str
    subnet_id: str = ""
    cidr: str = ""
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()     # destination, next hop
    floating: tuple[str, ...] = ()


class Port(model.Value, kw_only=True):
    """A port."""

    id: str
    net_id: str
    mac: str
    label: str = ""                      # the network's name
    project_id: str = ""
    status: str = "DOWN"
    device: str = ""                     # the server that has it; "": none
    host: str = ""
    vif_type: str = "unbound"
    key: str = ""                        # our errand, if we made it
    groups: tuple[str, ...] = ()         # ids of security groups
    fixed_ips: tuple[FixedIp, ...] = ()
    mtu: int | None = None

    def addresses(self) -> tuple[model.Address, ...]:
        """As a server's document shows them."""
        found = []
        for fixed in self.fixed_ips:
            about = {"network": self.label, "mac": self.mac, "port_id": self.id}
            version = 6 if ":" in fixed.ip else 4
            found.append(model.Address(ip=fixed.ip, version=version, **about))
            found += [model.Address(ip=ip, version=4, kind="floating", **about)
                      for ip in fixed.floating]
        return tuple(found)


class Plan(model.Value, kw_only=True):
    """A port that is to be made for a server.  ``key`` finds it again."""

    key: str
    server: str
    project_id: str
    net_id: str
    fixed_ip: str | None = None
    groups: tuple[str, ...] = ()         # ids; none: the project's default
    host: str = ""
    zone: str | None = None


class NetworkRoom(typing.Protocol):
    """What servers need of networks."""

    def networks(self, project: str, ids: tuple[str, ...] = (),
                 token: str | None = None) -> list[Network]:
        """The networks that servers of the project may use: its own and shared ones, or those of
        these ids that it may see."""

    def groups(self, project: str, token: str | None = None) -> list[tuple[str, str]]:
        """(id, name) of the project's security groups."""

    def ports(self, server: str, token: str | None = None) -> list[Port]:
        """Those of a server, in the order in which they came."""

    def port(self, port_id: str, token: str | None = None) -> Port:
        """One."""

    def in_use(self, net_id: str, ip: str, token: str | None = None) -> bool:
        """Whether the address is taken on this network."""

    def make(self, plan: Plan) -> Port:
        """A new port, bound to the host; the one that was made by this key, if there is one."""

    def bind(self, port_id: str, server: str, host: str, zone: str | None = None) -> Port:
        """The server's on this host, or ("") on none.  ``Conflict`` if another server has it."""

    def unbind(self, port_id: str, server: str) -> None:
        """Nobody's, if it was this server's."""

    def delete(self, port_id: str) -> None:
        """Gone."""

    def secure(self, port_id: str, groups: tuple[str, ...], token: str | None = None) -> None:
        """These security groups, and no others."""

    def readdress(self, port_id: str, add: str | None = None,
                  remove: str | None = None) -> Port:
        """One more address of the subnet ``add``, or without the address ``remove``."""

    def float(self, address: str, port_id: str | None, fixed: str | None = None,
              token: str | None = None) -> str | None:
        """Lead a floating address to a port, or (None) nowhere: the port it led to before."""
