# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Quota that is held for a restore whose answer was lost; user data that a rebuild gave anew."""

import testtools

from nova_cells.collector import service
from nova_cells.db import view
from nova_cells.domain import effects, records
from nova_cells.domain import server as model

NOW = 1_000_000.0
TICK = effects.Tick(job="reservations")
SERVER = "00000000-0000-4000-8000-000000000001"
CELL = "ce110000-0000-4000-8000-000000000001"


class Ids:
    def uuid(self):
        return "00000000-0000-4000-8000-0000000000ff"


class Held(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.view = view.View("sqlite://", quota_defaults={})
        self.addCleanup(self.view.close)
        self.view.create_tables()
        self.collector = service.Collector(self.view, Ids())
        with self.view.write() as tx:
            self.view.cells.create(tx, CELL, "cell1", "local://c", NOW)
            self.view.servers.insert(tx, self.server(1), NOW, cell=CELL, placed=True,
                                     sealed=b"boot")
            self.view.quota.hold(tx, "op", SERVER, "p", "u", 1, 1, 512, NOW)

    def server(self, version, **fields):
        return model.Server(
            uuid=SERVER, project_id="p", user_id="u", epoch=1, version=version, name="s",
            flavor=model.Flavor(id="1", name="f", vcpus=1, ram_mb=512, disk_gb=1), cell=CELL,
            created_at=NOW, **{"rest": "soft_deleted", **fields})

    def apply(self, **body):
        record = records.Record(uuid=SERVER, epoch=0, **body)
        self.collector.handle(records.Upload(incarnation="i", batch=0, records=(record,)), NOW,
                              CELL)

    def usage(self):
        with self.view.read() as tx:
            return self.view.quota.usage(tx, "p")["instances"]

    def sealed(self):
        with self.view.read() as tx:
            return self.view.servers.row(tx, SERVER).sealed

    def test_until_no_cell_takes_the_order_any_more(self):
        for now in (NOW, NOW + 100, NOW + 180):
            self.collector.handle(TICK, now)
            self.assertEqual((0, 1), self.usage())
        self.collector.handle(TICK, NOW + 181)
        self.assertEqual((0, 0), self.usage())

    def test_a_clock_that_is_ahead_takes_nothing_away(self):
        self.collector.handle(TICK, NOW + 6000)
        self.assertEqual((0, 1), self.usage())

    def test_until_the_record_counts(self):
        self.apply(kind="server", version=2, server=self.server(2, verb="restore", ticket=2))
        self.assertEqual((1, 1), self.usage())
        self.collector.handle(TICK, NOW)
        self.assertEqual((1, 0), self.usage())

    def test_the_newest_user_data_of_the_cell_that_has_the_server_is_kept(self):
        def given(version, sealed, epoch=1):
            self.apply(kind="user_data", version=version, user_data=records.UserData(
                server=SERVER, epoch=epoch, version=version, sealed=sealed))
            return self.sealed()
        self.assertEqual(b"three", given(3, "three"))
        self.assertEqual(b"three", given(2, "two"))
        self.assertEqual(b"three", given(9, "elsewhere", epoch=2))
        self.assertIsNone(given(4, None))
