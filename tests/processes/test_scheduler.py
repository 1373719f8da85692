# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The scheduler as a process: it is asked over the bus, and when it dies boots go on without it."""

import testtools

from tests.processes import deployment
from tests.servers import process


class Scheduler(testtools.TestCase):
    """One cell whose two conductors ask a scheduler."""

    def setUp(self):
        super().setUp()
        try:
            self.running = deployment.Deployment(
                cells=1, conductors=2, more="[conductor]\nscheduler = service\n")
        except process.Missing as missing:
            self.skipTest(str(missing))
        self.addCleanup(self.running.remove)
        self.running.start()
        self.running.flavor()

    def boot(self, count):
        """So many, until all are there."""
        before = len(self.running.statuses())
        for _one in range(count):
            status, document, _headers = self.running.create()
            self.assertEqual(202, status, document)
        self.running.wait_for(lambda: list(self.running.statuses().values()) == (
            ["ACTIVE"] * (before + count)), "all servers are ACTIVE")

    def silent(self):
        """Whether a conductor missed an answer."""
        return any(one.said("no scheduler of the cell answers")
                   for one in self.running.named("conductor"))

    def test_it_is_asked_it_dies_and_it_comes_back(self):
        self.boot(6)
        self.assertFalse(self.silent())
        scheduler = self.running.services["scheduler-c1"]
        scheduler.kill()
        self.boot(4)
        self.assertTrue(self.silent())
        scheduler.start()
        scheduler.wait_ready()
        self.boot(2)
        hosts = [host for found in self.running.guests().values() for host in found]
        self.assertEqual((12, 2), (len(hosts), len(set(hosts))))
        self.assertEqual([], self.running.verify())
