# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the tests of the bus share: a private configuration, transports, an echoing server."""

import itertools

import oslo_messaging
import testtools
from oslo_config import cfg

from nova_cells.rpc import transport as transports

_numbers = itertools.count()


def fresh_name() -> str:
    """A virtual host that no other test uses."""
    return f"test{next(_numbers)}"


class BusTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.conf = cfg.ConfigOpts()
        self.conf([], project="test", default_config_files=[], default_config_dirs=[])
        transports.prepare(self.conf)

    def transport(self, name=None):
        transport = transports.open_transport(self.conf, f"local://{name or fresh_name()}")
        self.addCleanup(transport.cleanup)
        return transport

    def serve(self, transport, exchange, endpoint, topic="conductor", server="one", threads=8,
              **options):
        """A plain oslo.messaging server, as anybody would make one."""
        target = oslo_messaging.Target(exchange=exchange, topic=topic, server=server)
        running = oslo_messaging.get_rpc_server(transport, target, [endpoint], **options)
        running.start(override_pool_size=threads)
        self.addCleanup(running.wait)
        self.addCleanup(running.stop)
        return running

    def client(self, transport, exchange, topic="conductor", server=None, timeout=10, **options):
        target = oslo_messaging.Target(exchange=exchange, topic=topic, server=server, **options)
        return oslo_messaging.get_rpc_client(transport, target, timeout=timeout)
