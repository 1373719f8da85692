# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The schema is the recorded one, and what changes in it is expansion only."""

import copy

import testtools

from nova_cells.db import migrations
from tests.recorded import schema

MEND = ("the migrations make another schema than tests/recorded/schema-{}.json says: if it is an "
        "expansion, record it with: python -m tests.recorded.schema")


class Recorded(testtools.TestCase):
    def test_the_schema_is_the_recorded_one(self):
        for history in migrations.HISTORIES:
            made, recorded = schema.made(history), schema.recorded(history)
            self.assertEqual([], schema.breaches(recorded, made), history)
            self.assertEqual(recorded, made, MEND.format(history))

    def test_what_is_no_expansion(self):
        old = schema.recorded("view")

        def changed(change):
            new = copy.deepcopy(old)
            change(new)
            return schema.breaches(old, new)
        servers = "servers"
        for change in (
                lambda new: new.pop("slots"),
                lambda new: new[servers]["columns"].pop("host"),
                lambda new: new[servers]["columns"].update(
                    place=new[servers]["columns"].pop("host")),
                lambda new: new[servers]["columns"].update(
                    more={"type": "INTEGER", "nullable": False}),
                lambda new: new[servers]["columns"]["host"].update(type="INTEGER"),
                lambda new: new[servers]["columns"]["cell"].update(nullable=False),
                lambda new: new[servers].update(primary_key=["name"]),
                lambda new: new[servers]["unique"].append(["name"]),
                lambda new: new["cells"]["unique"].clear()):
            self.assertNotEqual([], changed(change))

    def test_what_is_an_expansion(self):
        old = schema.recorded("view")
        new = copy.deepcopy(old)
        new["novelty"] = new["slots"]
        new["servers"]["columns"]["more"] = {"type": "INTEGER", "nullable": True}
        new["servers"]["columns"]["most"] = {"type": "INTEGER", "nullable": False, "default": "0"}
        new["servers"]["columns"]["host"]["nullable"] = True
        new["servers"]["indexes"]["ix_servers_more"] = ["more"]
        self.assertEqual([], schema.breaches(old, new))
