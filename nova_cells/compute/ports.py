# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Ports of a server, made or bound and let go of again, as steps of its verbs and as errands.

Whatever is done here may be done again: a port that we make is found by its errand, a user's own
is bound to the same server again.  So each attempt on another host has its own binding, and a port
whose making was not answered is deleted all the same.
"""

import ipaddress
import logging
import typing

from nova_cells.compute import errands, flow, rooms
from nova_cells.domain import errands as domain
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.network import protocol
from nova_cells.virt import protocol as virt

LOG = logging.getLogger(__name__)
CAPABILITY = "interfaces"


def plug(room: typing.Any, errand: domain.Errand, server: model.Server,
         host: str) -> protocol.Port:
    """The port of an errand, bound to this host."""
    wanted = errand.interface
    if wanted is None:
        raise errors.Bug(f"errand {errand.uuid} does not say what is wanted")
    if not wanted.made:
        return room.bind(wanted.port_id, server.uuid, host, server.availability_zone)
    return room.make(protocol.Plan(
        key=errand.uuid, server=server.uuid, project_id=server.project_id, net_id=wanted.net_id,
        fixed_ip=wanted.addresses[0].ip if wanted.addresses else None, groups=wanted.groups,
        host=host, zone=server.availability_zone))


def unplug(room: typing.Any, errand: domain.Errand) -> None:
    """The way back: what we made is deleted, also if nobody heard that it was made."""
    wanted = errand.interface
    if wanted is None:
        return
    if not wanted.made:
        room.unbind(wanted.port_id, errand.server)
        return
    for port in room.ports(errand.server):
        if port.key == errand.uuid or (wanted.port_id and port.id == wanted.port_id):
            room.delete(port.id)


def put_aside(doing: typing.Any) -> None:
    """The guest is gone and its server stays: so do its ports, on no host.  One that cannot be
    taken off this host is bound to the next one all the same."""
    server = doing.task.record
    for errand in _of(doing):
        port = errand.interface.port_id
        try:
            if port:
                doing.rooms.network.bind(port, server.uuid, "", server.availability_zone)
        except errors.Problem as problem:
            LOG.error("server=%s port=%s is still bound to %s: %s", server.uuid, port, doing.host,
                      problem)


def _of(doing: typing.Any) -> list[domain.Errand]:
    return [one for one in doing.task.attached if one.kind == domain.INTERFACE
            and one.interface is not None]


def filled(errand: domain.Errand, port: protocol.Port) -> domain.Errand:
    """The errand with what the port says."""
    wanted = errand.interface
    assert wanted is not None
    return model.replace(errand, interface=model.Interface(
        errand=errand.uuid, port_id=port.id, net_id=port.net_id, mac=port.mac, tag=wanted.tag,
        made=wanted.made, addresses=port.addresses()))


# -- a guest that is made -------------------------------------------------------------------------

class Nics:
    """The interfaces of a guest that is being made: steps of its flow."""

    def __init__(self, doing: typing.Any) -> None:
        self._doing = doing
        self.errands = _of(doing)
        self.ports: dict[str, protocol.Port] = {}

    def must_do(self) -> None:
        """Raise unless this host can give a guest its interfaces: another may."""
        if self.errands and CAPABILITY not in self._doing.driver.capabilities:
            raise virt.HostTrouble(f"the hypervisor of {self._doing.host} gives guests no "
                                   f"interfaces")

    def around(self, steps: tuple[flow.Step, ...],
               back: flow.Do | None = None) -> tuple[flow.Step, ...]:
        """The flow of a guest with its ports before it and, when it is defined, its interfaces.
        ``back``: what becomes of the ports when it is not made, if they shall stay."""
        if not self.errands:
            return steps
        self.must_do()
        found = [flow.Step("plug_ports", self.plug, back or self.unplug)]
        for step in steps:
            found.append(step)
            if step.name == "define":
                found.append(flow.Step("attach_interfaces", self.attach, self.detach))
        return tuple(found)

    def plug(self, spec: virt.GuestSpec) -> None:
        """Every port, bound to this host; the guest will read of them on its config drive."""
        for errand in self.errands:
            port = plug(self._doing.rooms.network, errand, spec.server, self._doing.host)
            self.ports[errand.uuid] = port
        spec.network_data.update(network_data(self.ports.values()))
        spec.metadata["devices"] = [*spec.metadata.get("devices", ()), *self._devices()]

    def arrived(self) -> None:
        """The guest lives here now, and there is no way back: what cannot be bound is said, and
        keeps nobody else from it."""
        server = self._doing.task.record
        for errand in self.errands:
            try:
                port = plug(self._doing.rooms.network, errand, server, self._doing.host)
            except errors.Problem as problem:
                LOG.error("server=%s port=%s could not be bound here: %s", server.uuid,
                          errand.interface.port_id, problem)
            else:
                self.ports[errand.uuid] = port

    def unplug(self, _spec: virt.GuestSpec) -> None:
        """Every one, whatever becomes of the others."""
        problems = []
        for errand in self.errands:
            try:
                unplug(self._doing.rooms.network, errand)
            except errors.Problem as problem:
                problems.append(problem)
        if problems:
            raise problems[0]

    def attach(self, spec: virt.GuestSpec) -> None:
        """The guest has them."""
        for port in self.ports.values():
            self._doing.driver.attach_interface(spec.server.uuid, port.id, port.mac)

    def come_back(self, spec: virt.GuestSpec) -> None:
        """To the guest that was parked here: also without those that the server has no more."""
        driver, uuid = self._doing.driver, spec.server.uuid
        if CAPABILITY not in driver.capabilities:
            return
        known = {port.id for port in self.ports.values()}
        for port in driver.guest_interfaces(uuid):
            if port not in known:
                driver.detach_interface(uuid, port)
        self.attach(spec)

    def detach(self, spec: virt.GuestSpec) -> None:
        """Way back of ``attach``."""
        for port in self.ports.values():
            self._doing.driver.detach_interface(spec.server.uuid, port.id)

    def told(self) -> list[domain.Errand]:
        """The errands whose ports are bound, filled in."""
        return [filled(errand, self.ports[errand.uuid]) for errand in self.errands
                if errand.uuid in self.ports]

    def _devices(self) -> list[dict[str, typing.Any]]:
        return [{"type": "nic", "bus": "none", "address": "none",
                 "mac": self.ports[errand.uuid].mac, "tags": [errand.interface.tag]}
                for errand in self.errands if errand.interface and errand.interface.tag]


def network_data(ports: typing.Iterable[protocol.Port]) -> dict[str, list]:
    """``openstack/latest/network_data.json`` (public metadata service documentation)."""
    links, networks, services = [], [], []
    for port in ports:
        link = f"tap{port.id[:11]}"
        links.append({"id": link, "vif_id": port.id, "type": port.vif_type, "mtu": port.mtu,
                      "ethernet_mac_address": port.mac})
        for fixed in port.fixed_ips:
            networks.append(_network(port, fixed, link, len(networks)))
            services += [{"type": "dns", "address": server} for server in fixed.dns
                         if {"type": "dns", "address": server} not in services]
    return {"links": links, "networks": networks, "services": services}


def _network(port: protocol.Port, fixed: protocol.FixedIp, link: str, number: int) -> dict:
    version = 6 if ":" in fixed.ip else 4
    anywhere, nothing = ("::", "::") if version == 6 else ("0.0.0.0", "0.0.0.0")  # nosec B104
    routes = [{"network": anywhere, "netmask": nothing, "gateway": fixed.gateway}
              ] if fixed.gateway else []
    for destination, hop in fixed.routes:
        net = ipaddress.ip_network(destination)
        routes.append({"network": str(net.network_address), "netmask": str(net.netmask),
                       "gateway": hop})
    netmask = str(ipaddress.ip_network(fixed.cidr).netmask) if fixed.cidr else None
    return {"id": f"network{number}", "type": f"ipv{version}", "link": link,
            "ip_address": fixed.ip, "netmask": netmask, "routes": routes,
            "network_id": port.net_id,
            "services": [{"type": "dns", "address": server} for server in fixed.dns]}


# -- errands --------------------------------------------------------------------------------------

def attach(doing: errands.Work) -> domain.Errand:
    """One more interface; a guest that does not take it leaves no port behind."""
    if doing.record is None:
        raise errors.NotFound(f"Instance {doing.errand.server} could not be found.")
    doing.step("plug_port")
    port = None
    try:
        port = plug(doing.rooms.network, doing.errand, doing.record, doing.host)
        doing.step("attach_interface")
        doing.driver.attach_interface(doing.record.uuid, port.id, port.mac)
    except Exception as problem:
        if _back(doing, doing.record.uuid, port):
            raise
        sentence = problem.message if isinstance(problem, errors.Problem) else "The host failed"
        raise errors.HostTrouble(sentence, left=True) from problem
    return filled(doing.errand, port)


def _back(doing: errands.Work, server: str, port: protocol.Port | None) -> bool:
    """Whether nothing is left; if not, the cell has it released later."""
    try:
        if port is not None:
            doing.driver.detach_interface(server, port.id)
        unplug(doing.rooms.network, doing.errand)
    except errors.Problem as problem:
        LOG.error("server=%s errand=%s its port is left behind: %s", doing.errand.server,
                  doing.errand.uuid, problem)
        return False
    return True


def detach(doing: errands.Work) -> domain.Errand:
    """One interface less."""
    nic = doing.errand.interface
    if nic is not None and doing.record is not None:
        doing.step("detach_interface")
        doing.driver.detach_interface(doing.record.uuid, nic.port_id)
    doing.step("unplug_port")
    unplug(doing.rooms.network, doing.errand)
    return doing.errand


def change(doing: errands.Work) -> domain.Errand:
    """Other addresses: ``options`` name a subnet ("add") or an address ("remove"); neither: what
    the network service says now."""
    nic, options = doing.errand.interface, doing.errand.options
    if nic is None:
        raise errors.NotFound(f"errand {doing.errand.uuid} has no port")
    doing.step("change_port")
    room = doing.rooms.network
    if not options:
        return filled(doing.errand, room.port(nic.port_id))
    known = {one.ip for one in room.port(nic.port_id).fixed_ips}
    remove = options.get("remove")
    if options.get("known") is not None and known != set(options["known"].split()):
        return filled(doing.errand, room.port(nic.port_id))
    return filled(doing.errand, room.readdress(nic.port_id, options.get("add"), remove))


def release(found: rooms.Rooms, errand: domain.Errand) -> None:
    """Let go of what is outside, of a server that is gone."""
    unplug(found.network, errand)


errands.RELEASES[domain.INTERFACE] = release
errands.WORKS.update({
    (domain.INTERFACE, "attach_interface"): attach,
    (domain.INTERFACE, "detach_interface"): detach,
    (domain.INTERFACE, "change_interface"): change,
})
