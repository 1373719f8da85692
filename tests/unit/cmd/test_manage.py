# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The operator's commands: on databases alone, and beside a process that runs."""

import json
import os

from nova_cells.cmd import status
from nova_cells.db import migrations
from tests.unit.cmd import base


class ManageTestCase(base.CommandTestCase):
    def refused(self, code, *words, part=""):
        status_, _, error = self.run_command(*words)
        self.assertEqual(code, status_, error)
        self.assertSentence(error, "nova-cells-manage: ", part)
        return error


class Databases(ManageTestCase):
    def test_sync_gives_every_cell_its_identity(self):
        os.makedirs(self.state)
        rows = self.manage("db", "sync")
        self.assertEqual(["view", "cell"], [row["database"] for row in rows])
        self.assertEqual(rows, self.manage("db", "sync"))
        self.assertEqual([], self.manage("cell", "list"))

    def test_a_given_uuid(self):
        os.makedirs(self.state)
        wanted = "11111111-2222-3333-4444-555555555555"
        (row,) = self.manage("db", "sync", "cell", "--name", "cell1", "--uuid", wanted)
        self.assertEqual(wanted, row["uuid"])
        self.refused(1, "db", "sync", "cell", "--name", "cell1", "--uuid", wanted[::-1],
                     part=wanted)
        self.refused(2, "db", "sync", "cell", "--uuid", "x", part="not a uuid")
        self.refused(2, "db", "sync", "cell", "--name", "x", part="no cell 'x'")

    def test_no_database(self):
        self.refused(2, "cell", "list", part="there is no database")
        self.assertFalse(os.path.exists(self.state))

    def test_an_empty_database(self):
        os.makedirs(self.state)
        with open(os.path.join(self.state, "view.sqlite"), "w"):
            pass
        self.refused(1, "cell", "list", part="db sync")


class Cells(ManageTestCase):
    URL = "rabbit://nova:s3cret@host:5672/cell"

    def setUp(self):
        super().setUp()
        os.makedirs(self.state)
        migrations.upgrade("view", f"sqlite:///{self.state}/view.sqlite")

    def create(self, name="blue", *more):
        return self.manage("cell", "create", name, "--transport-url", self.URL, *more)

    def test_a_life(self):
        made = self.create()
        self.assertEqual(("blue", True), (made["name"], made["enabled"]))
        self.assertEqual("sky", self.manage("cell", "update", "blue", "--name", "sky")["name"])
        off = self.manage("cell", "disable", "sky", "--reason", "repair")
        self.assertEqual((False, "repair"), (off["enabled"], off["disabled_reason"]))
        self.assertTrue(self.manage("cell", "enable", made["uuid"])["enabled"])
        self.assertEqual(["sky"], [cell["name"] for cell in self.manage("cell", "list")])
        self.assertEqual(0, self.run_command("cell", "delete", "sky")[0])
        self.assertEqual([], self.manage("cell", "list"))

    def test_no_password_is_shown(self):
        self.create()
        for words in (("cell", "list"), ("cell", "show", "blue")):
            for form in ("table", "json", "value", "csv", "yaml", "shell"):
                code, out, error = self.run_command(*words, "-f", form)
                self.assertNotIn("s3cret", out + error)

    def test_duplicate_names(self):
        self.create()
        self.refused(1, "cell", "create", "blue", "--transport-url", self.URL, part="'blue'")
        self.create("red")
        self.refused(1, "cell", "update", "red", "--name", "blue", part="'blue'")

    def test_what_cannot_be(self):
        self.refused(2, "cell", "create", "x", "--transport-url", "pigeon://a:s3cret@b",
                     part="rabbit://")
        self.refused(2, "cell", "create", " ", "--transport-url", self.URL, part="name")
        self.refused(2, "cell", "create", "x", "--transport-url", self.URL, "--uuid", "1",
                     part="not a uuid")
        self.refused(1, "cell", "show", "nope", part="known cells: none")
        self.create()
        self.refused(2, "cell", "update", "blue", part="nothing to change")

    def test_no_command(self):
        self.assertNotEqual(0, self.run_command()[0])
        self.assertEqual(2, self.run_command("cell", "frob")[0])

    def test_an_order_that_nobody_takes_up(self):
        self.create()
        self.refused(1, "cell", "verify", "blue", "--timeout", "0.2", part="waiting")


class Status(ManageTestCase):
    def check(self):
        code, out, _ = self.run_command("upgrade", "check", "--json", main=status.main)
        return code, {row["check"]: (row["result"], row["details"])
                      for row in json.loads(out)["checks"]}

    def test_nothing_there(self):
        code, checks = self.check()
        self.assertEqual(2, code)
        self.assertIn("no database", checks["Schemas"][1])

    def test_ready(self):
        os.makedirs(self.state)
        self.manage("db", "sync")
        self.assertEqual(0, self.check()[0])

    def test_silent_and_halted(self):
        os.makedirs(self.state)
        self.manage("db", "sync")
        self.manage("cell", "create", "blue", "--transport-url", "local://x")
        code, checks = self.check()
        self.assertEqual((1, 1), (code, checks["Cells heard"][0]))
        self.assertIn("blue", checks["Cells heard"][1])


class Live(ManageTestCase):
    def test_beside_a_running_process(self):
        process = self.start()
        for kind in ("resync", "verify"):
            shown = self.manage("cell", kind, "cell1", "--timeout", "50")
            self.assertEqual("cell1", shown["cell"])
        self.assertEqual([], shown["findings"])
        # A cell that is created now is known there at once, and one that is removed is not.
        self.manage("cell", "create", "far", "--transport-url", "local://far")
        self.assertTrue(base.wait_for(lambda: len(self.manage("cell", "list")) == 3))
        self.assertEqual(200, process.get("/v2.1/flavors")[0])
        self.assertEqual(0, self.run_command("cell", "delete", "far")[0])
        code, out, _ = self.command("status", "--state-path", self.state, "upgrade", "check")
        self.assertEqual(0, code, out)
        self.assertEqual(0, process.stop()[0])
