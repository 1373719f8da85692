# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The collector's listeners follow the table of cells, and one silent bus delays no other."""

import threading
import types
from unittest import mock

import testtools

from nova_cells import clock, service
from nova_cells import conf as configuration
from nova_cells.cmd import collecting
from nova_cells.rpc import router, transport


class Fleet:
    """A table of cells in memory."""

    def __init__(self, conf):
        self.view = self.client = None
        self.rows = []
        self.router = router.Router(open_transport=lambda url: transport.open_transport(conf, url))

    def look(self):
        self.router.update(self.rows)

    def url(self, cell):
        return next(row[1] for row in self.rows if row[0] == cell)


class Looks(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.conf = configuration.new(overrides={})
        self.fleet = Fleet(self.conf)
        self.addCleanup(self.fleet.router.close)
        ids = types.SimpleNamespace(uuid=lambda: "u")
        with mock.patch.object(collecting.collectors, "Collector"), \
                mock.patch.object(collecting.service, "Runner", autospec=service.Runner):
            self.it = collecting.Collecting(self.conf, self.fleet, clock.SystemClock(), ids)
        self.addCleanup(self.it.stop, 5.0)

    def have(self, *cells, suffix=""):
        self.fleet.rows = [(cell, f"local://{self.id()}-{cell}{suffix}", cell) for cell in cells]

    def test_cells_come_and_go(self):
        self.have("c1", "c2")
        self.it.look(60.0)
        self.assertEqual([], self.it.missing())
        self.have("c2")
        self.it.look(60.0)
        self.assertEqual({"c2"}, set(self.it._listeners))

    def test_another_bus(self):
        self.have("c1")
        self.it.look(60.0)
        _bus, before = self.it._listeners["c1"]
        self.have("c1", suffix="-moved")
        self.it.look(60.0)
        bus, after = self.it._listeners["c1"]
        self.assertIsNot(before, after)
        self.assertIs(self.fleet.router.transport("c1"), bus)

    def test_a_silent_bus_keeps_nobody_waiting(self):
        self.have("c1", "c2", "c3")
        speaks, asked = threading.Event(), []

        def must_answer(conf, url):
            asked.append(url)
            if url.endswith("c2"):
                speaks.wait(60.0)

        with mock.patch.object(collecting.transport, "must_answer", must_answer):
            self.it.look(0.5)
            self.it.look(0.5)
            self.assertEqual(["c2"], self.it.missing())
            self.assertEqual(3, len(asked), "a cell that is being tried is not tried again")
            speaks.set()
            self.assertTrue(within(lambda: not self.it.missing()))

    def test_whoever_came_too_late_does_not_listen(self):
        self.have("c1")
        speaks = threading.Event()
        with mock.patch.object(collecting.transport, "must_answer",
                               lambda conf, url: speaks.wait(60.0)):
            self.it.look()
            self.it.stop(1.0)
            speaks.set()
            self.assertTrue(within(lambda: not self.it._settling))
        self.assertEqual({}, self.it._listeners)


def within(condition, seconds=60.0):
    """Whether it came true."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        waited.wait(0.05)
    return False
