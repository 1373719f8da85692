# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Figures and health: what a process counts, and the port on which it tells.

``instruments`` is the table of all figures; rooms count with what it names. ``server`` is the port.
The only room that imports prometheus_client; imports no other room but ``domain``. Never does
anything between two scrapes but count. Labels are words that the code knows, never a server.
"""

from nova_cells.metrics.health import Check, answers, living
from nova_cells.metrics.instruments import identify, watch
from nova_cells.metrics.server import Server, prepare, serve

__all__ = ["Check", "Server", "answers", "identify", "living", "prepare", "serve", "watch"]
