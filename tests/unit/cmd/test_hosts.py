# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-manage host`` on a view alone: what is shown, refused, taken back."""

import os
import time

from nova_cells.db import migrations, view
from nova_cells.domain import records
from tests.unit.cmd import base

BLUE, RED = "b1000000-0000-4000-8000-000000000001", "4ed00000-0000-4000-8000-000000000001"
ONE, TWO, FAR = ("1a000000-0000-4000-8000-000000000001", "2a000000-0000-4000-8000-000000000002",
                 "fa000000-0000-4000-8000-000000000003")


class Hosts(base.CommandTestCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.state)
        url = f"sqlite:///{self.state}/view.sqlite"
        migrations.upgrade("view", url)
        self.view = view.View(url)
        self.addCleanup(self.view.close)
        now = time.time()
        with self.view.write() as tx:
            for cell, name in ((BLUE, "blue"), (RED, "red")):
                self.view.cells.create(tx, cell, name, f"local://{name}", now)
                self.view.cells.heard(tx, cell, now)
            self.keep(tx, BLUE, "one", ONE)
            self.keep(tx, BLUE, "two", TWO, up=False, disabled=True, disabled_reason="dust")
            self.keep(tx, RED, "one", FAR, forced_down=True)

    def keep(self, tx, cell, name, uuid, version=1, **facts):
        self.view.records.keep_host(tx, cell, records.HostRecord(
            uuid=uuid, name=name, version=version, **facts), version, 1.0)

    def refused(self, code, *words, part):
        found, _, error = self.run_command("host", *words)
        self.assertEqual(code, found, error)
        self.assertSentence(error, "nova-cells-manage: ", part)

    def orders(self):
        with self.view.read() as tx:
            return self.view.orders.open(tx)

    def test_list(self):
        self.assertEqual([("blue", "one", "up", "enabled"), ("blue", "two", "down", "disabled"),
                          ("red", "one", "forced down", "enabled")], [
            (row["cell"], row["name"], row["state"], row["status"])
            for row in self.manage("host", "list")])
        self.assertEqual(["one", "two"], [row["name"] for row in
                                          self.manage("host", "list", "blue")])

    def test_a_cell_that_is_down_hides_nothing(self):
        with self.view.write() as tx:
            self.view.cells.update(tx, BLUE, 2.0, up=False)
        self.assertEqual(["unknown: the cell is down"] * 2, [
            row["state"] for row in self.manage("host", "list", BLUE)])

    def test_show_by_name_and_by_uuid(self):
        for word in ("two", TWO):
            shown = self.manage("host", "show", "blue", word)
            self.assertEqual((TWO, "dust", 0), (
                shown["uuid"], shown["disabled_reason"], shown["servers"]))

    def test_what_is_not_there(self):
        self.refused(1, "show", "green", "one", part="known cells: blue, red")
        self.refused(1, "show", "blue", "three", part="known hosts: one, two")

    def test_a_forgotten_host_is_not_there(self):
        with self.view.write() as tx:
            self.keep(tx, BLUE, "two", TWO, version=2, deleted=True)
        self.refused(1, "show", "blue", "two", part="known hosts: one")

    def test_a_cell_that_is_down_or_halted_is_not_asked(self):
        for fields in ({"up": False}, {"up": True, "halted": "an old copy"}):
            with self.view.write() as tx:
                self.view.cells.update(tx, BLUE, 2.0, **fields)
            for words in (("disable", "blue", "one"), ("enable", "blue", "one"),
                          ("forget", "blue", "one")):
                self.refused(1, *words, part="the cell blue is down")
        self.assertEqual([], self.orders())

    def test_an_order_that_nobody_takes_up_is_taken_back(self):
        self.refused(1, "disable", "blue", "one", "--timeout", "0.2",
                     part="no collector has taken the order up")
        self.assertEqual([], self.orders())
