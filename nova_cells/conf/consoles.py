# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of consoles, as the hosts know them.  Names are Nova's."""

import typing

from oslo_config import cfg

from nova_cells.domain import consoles

_REACHED = "The address under which the console proxy of the cell reaches this host."

VNC = [
    cfg.URIOpt("novncproxy_base_url", default="http://127.0.0.1:6080/vnc_auto.html",
               help="Where users reach the noVNC proxy of this host's cell."),
    cfg.HostAddressOpt("server_proxyclient_address", default="127.0.0.1", help=_REACHED),
]
SPICE = [
    cfg.BoolOpt("enabled", default=False, help="Offer SPICE consoles of this host's guests."),
    cfg.URIOpt("html5proxy_base_url", default="http://127.0.0.1:6082/spice_auto.html",
               help="Where users reach the SPICE HTML5 proxy of this host's cell."),
    cfg.URIOpt("spice_direct_proxy_base_url", default="http://127.0.0.1:13002/nova",
               help="Where users reach the native SPICE proxy of this host's cell."),
    cfg.HostAddressOpt("server_proxyclient_address", default="127.0.0.1", help=_REACHED),
]
SERIAL = [
    cfg.BoolOpt("enabled", default=False, help="Offer serial consoles of this host's guests."),
    cfg.URIOpt("base_url", default="ws://127.0.0.1:6083/",
               help="Where users reach the serial console proxy of this host's cell."),
    cfg.HostAddressOpt("proxyclient_address", default="127.0.0.1", help=_REACHED),
]
MKS = [
    cfg.BoolOpt("enabled", default=False, help="Offer MKS consoles of this host's guests."),
    cfg.URIOpt("mksproxy_base_url", schemes=["http", "https"], default="http://127.0.0.1:6090/",
               help="Where users reach the MKS proxy of this host's cell."),
]

OPTS: dict[str, list[cfg.Opt]] = {
    "vnc": VNC, "spice": SPICE, "serial_console": SERIAL, "mks": MKS}
_ADDRESS = {"serial_console": "proxyclient_address", "mks": None}


def offered(conf: cfg.ConfigOpts) -> dict[str, dict[str, typing.Any]]:
    """Kind -> ``base_url`` and ``address`` of the consoles that are switched on."""
    found = {}
    for kind, (_protocol, name, option) in consoles.KINDS.items():
        group = conf[name]
        if group.enabled:
            address = _ADDRESS.get(name, "server_proxyclient_address")
            found[kind] = {"base_url": group[option],
                           "address": str(group[address]) if address else "127.0.0.1"}
    return found
