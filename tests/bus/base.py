# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Routers, clients and listeners over a bus: ``local://``, or a vhost of a real RabbitMQ."""

import itertools
import logging
import os
import time

import fixtures
import testtools

from nova_cells import conf as configuration
from nova_cells.domain import commands
from nova_cells.rpc import client as clients
from nova_cells.rpc import router as routers
from nova_cells.rpc import server as servers
from nova_cells.rpc import transport as transports
from tests.servers import process, rabbitmq

GENEROUS = 90.0          # seconds: what takes so long hangs
_numbers = itertools.count()


def numbered(number: int) -> commands.Message:
    """A message that can be told from others."""
    return commands.ReadConsole(op="o", server="s", epoch=1, lines=number)


def wait_for(ready, seconds: float = GENEROUS) -> bool:
    """Whether it became true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.02)
    return bool(ready())


class BusTest(testtools.TestCase):
    """Two cells on one bus."""

    OPTIONS: dict[str, object] = {}

    def setUp(self):
        super().setUp()
        if not os.environ.get("NOVA_CELLS_TEST_LOGS"):
            logging.disable(logging.CRITICAL)
            self.addCleanup(logging.disable, logging.NOTSET)
        self.state = self.useFixture(fixtures.TempDir()).path
        self.conf = configuration.new(overrides={
            "DEFAULT": {"state_path": self.state},
            "rpc": {"local_fail_fast": False, "breaker_seconds": 1.0, **self.OPTIONS}})
        self.bus_url = self.url(f"v{os.getpid()}x{next(_numbers)}")
        self.router = self.new_router()
        self.client = clients.Client(self.router, self.conf)

    def url(self, vhost: str) -> str:
        """The transport URL of a fresh bus."""
        return f"local://{vhost}"

    def new_router(self, *cells: str) -> routers.Router:
        """Somebody else's way to the same bus."""
        router = routers.Router(
            open_transport=lambda url: transports.open_transport(self.conf, url))
        self.addCleanup(router.close)
        router.update([(cell, self.bus_url, f"cell {cell}") for cell in cells or ("c1", "c2")])
        return router

    def listen(self, cell="c1", topic="conductor", server="one", deliver=None, threads=4,
               router=None) -> servers.Listener:
        """A listener that answers with its own name."""
        deliver = deliver or (lambda message: commands.Text(text=f"{cell}/{topic}/{server}"))
        listener = servers.Listener((router or self.router).transport(cell), cell, topic, server,
                                    deliver, threads=threads)
        listener.start()
        self.addCleanup(listener.stop)
        return listener


class RabbitTest(BusTest):
    """The same over the RabbitMQ of this run."""

    def url(self, vhost: str) -> str:
        try:
            self.rabbit = rabbitmq.shared()
        except process.Missing as missing:
            self.skipTest(str(missing))
        return self.rabbit.url(vhost)

