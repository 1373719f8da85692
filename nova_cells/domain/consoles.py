# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Consoles of guests: their kinds, where one is, and what a token for one says.

A host says where a guest's console is (``Where``); the API seals that, with the server's stamp and
an end, into a token (``Claims``).  Whoever has the key can check a token without asking anybody;
it is worth nothing once the server has left that host.  Pure.
"""

from nova_cells.domain import server as model

#: Kind of console -> (protocol, group of options that switches it on, option with the address of
#: its proxy).
KINDS: dict[str, tuple[str, str, str]] = {
    "novnc": ("vnc", "vnc", "novncproxy_base_url"),
    "spice-html5": ("spice", "spice", "html5proxy_base_url"),
    "spice-direct": ("spice", "spice", "spice_direct_proxy_base_url"),
    "serial": ("serial", "serial_console", "base_url"),
    "webmks": ("mks", "mks", "mksproxy_base_url"),
}


class Where(model.Value, kw_only=True):
    """Where a guest's console listens, and the address of the proxy that leads there."""

    kind: str
    host: str
    port: int
    tls_port: int | None = None
    path: str | None = None              # inside the hypervisor's own server, if it has one
    base_url: str = ""


class Claims(model.Value, kw_only=True):
    """What a token says."""

    server: str
    epoch: int                           # of the placement that it was made for
    node: str                            # the host as the cell names it
    where: Where
    expires: float                       # seconds since the epoch
