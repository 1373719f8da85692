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

    def asked(self):
        """One more boot, and whether the scheduler was asked since its start.  A conductor that
        missed an answer, on a busy machine, tries it again only after a while."""
        self.boot(1)
        return self.running.services["scheduler-c1"].said("a conductor asks")

    def test_it_is_asked_it_dies_and_it_comes_back(self):
        self.running.wait_for(self.asked, "the scheduler is asked")
        scheduler = self.running.services["scheduler-c1"]
        scheduler.kill()
        self.boot(2)
        self.running.wait_for(self.silent, "a conductor misses its answer")
        scheduler.start()
        scheduler.wait_ready()
        self.running.wait_for(self.asked, "the scheduler is asked again")
        found = self.running.guests().values()
        self.assertEqual(len(self.running.statuses()), sum(map(len, found)))
        self.assertEqual([], self.running.verify())
