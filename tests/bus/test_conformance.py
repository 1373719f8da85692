# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The same laws over ``local://`` and over RabbitMQ, on threads and on eventlet."""

import os
import subprocess
import sys

import testtools

from nova_cells import service
from tests.bus import base, conformance


class Local(conformance.Calls, conformance.Casts, conformance.Moves, base.BusTest):
    """In one process."""

    def other_url(self, keep=False):
        return self.bus_url + "?again=1" if keep else self.url(self.id())


class Rabbit(conformance.Calls, conformance.Casts, conformance.Moves, base.RabbitTest):
    """Over RabbitMQ."""

    def other_url(self, keep=False):
        """Another password.  ``keep``: who connects with the old one still may."""
        vhost = self.bus_url.rpartition("/")[2]
        return self.rabbit.url(vhost) + "?heartbeat_rate=2" if keep else (
            self.rabbit.change_password(vhost))


class Eventlet(testtools.TestCase):
    """In a process of its own, for what is patched once stays so."""

    def test_all_of_it(self):
        if os.environ.get(service.BACKEND_VARIABLE) == "eventlet":
            self.skipTest("this is it")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "testtools.run",
             "tests.bus.test_conformance.Local", "tests.bus.test_conformance.Rabbit"],
            env={**os.environ, service.BACKEND_VARIABLE: "eventlet"},
            capture_output=True, text=True, timeout=900)
        self.assertEqual(0, done.returncode, (done.stdout + done.stderr)[-6000:])
