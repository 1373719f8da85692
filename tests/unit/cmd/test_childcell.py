# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A child cell by itself: a host whose hypervisor does not answer does not stop the others."""

import contextlib
import io
import os
from unittest import mock

from nova_cells import clock
from nova_cells import conf as confs
from nova_cells.cmd import childcell
from nova_cells.conf import standalone
from nova_cells.domain import errors
from nova_cells.image import fake
from nova_cells.virt import loader
from tests.unit.cmd import base


class Trouble(errors.Problem):
    family = "no_place"


class Hosts(base.CommandTestCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.state)
        conf = confs.new(overrides={"DEFAULT": {"state_path": self.state,
                                                "compute_driver": "fake"}})
        plan = standalone.CellPlan(name="blue", hosts=("h1", "h2"),
                                   connection=f"sqlite:///{self.state}/cell-blue.sqlite")
        self.cell = childcell.ChildCell(conf, plan, fake.FakeImages(), clock.SystemClock(),
                                        clock.RandomIds())
        self.cell.open()
        self.addCleanup(self.cell.close)
        self.addCleanup(self.cell.stop, 2.0)

    def hosts(self):
        """The hosts that the conductor has heard of."""
        with self.cell.store.read() as tx:
            return sorted(host.name for host in self.cell.store.hosts.all(tx))

    def start(self, load):
        said = io.StringIO()
        with (mock.patch.object(loader, "load", load),
              mock.patch.object(childcell, "HOST_RETRY", 0.1),
              contextlib.redirect_stderr(said)):
            self.cell.start()
            self.told = said.getvalue()
            base.wait_for(lambda: len(self.hosts()) == 2, 5)

    def test_one_that_comes_later(self):
        real, tries = loader.load, []

        def load(conf, cell, host, images):
            tries.append(host)
            if host == "h1" and tries.count("h1") < 3:
                raise Trouble("the hypervisor does not answer")
            return real(conf, cell, host, images)

        self.start(load)
        self.assertEqual(["h1", "h2"], self.hosts())
        self.assertIn("host h1 of blue is not up: the hypervisor does not answer", self.told)

    def test_one_that_can_never_work(self):
        def load(conf, cell, host, images):
            raise errors.Invalid("virt_type is not set")

        self.assertRaises(errors.Invalid, self.start, load)
