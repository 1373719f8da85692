# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Migrations in the view: the newest is kept, ids stay, pages do not move."""

from nova_cells.db.view import migrations
from nova_cells.domain import migration as model
from nova_cells.domain import server as servers
from tests.unit.db import base

CELL, OTHER = "ce110000-0000-4000-8000-000000000001", "ce110000-0000-4000-8000-000000000002"
SMALL = servers.Flavor(id="1", name="small", vcpus=1, ram_mb=512, disk_gb=1)
BIG = servers.Flavor(id="2", name="big", vcpus=2, ram_mb=512, disk_gb=1)


def one(number, **fields):
    return model.Migration(**{
        "uuid": f"{number:08x}-0000-4000-8000-000000000000", "server": "s", "kind": model.RESIZE,
        "old_flavor": SMALL, "new_flavor": BIG, "created_at": 100.0 + number, "source": "h1",
        "dest": "h2", "project_id": "p", **fields})


class Migrations(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.view()

    def keep(self, record, cell=CELL):
        with self.db.write() as tx:
            self.db.migrations.keep(tx, cell, record, record.version)

    def all(self, **asked):
        with self.db.read() as tx:
            return self.db.migrations.all(tx, migrations.Asked(**asked))

    def test_the_newest_stays_in_any_order(self):
        for version in (1, 3, 2, 3):
            self.keep(one(1, version=version, status=f"v{version}"))
        [row] = self.all()
        self.assertEqual("v3", row.record.status)

    def test_another_cell_changes_nothing(self):
        self.keep(one(1))
        self.keep(one(1, version=9, status="stolen"), OTHER)
        self.assertEqual(["pre-migrating"], [row.record.status for row in self.all()])

    def test_ids_are_minted_once_and_flavors_may_go(self):
        with self.db.write() as tx:
            for flavor in (SMALL, BIG):
                self.db.flavors.create(tx, flavor, 1.0)
        self.keep(one(1))
        [first] = self.all()
        with self.db.write() as tx:
            self.db.flavors.delete(tx, "2")
        self.keep(one(1, version=2))
        self.keep(one(2))
        rows = self.all()
        self.assertEqual(first.id, rows[0].id)
        self.assertEqual([first.new_flavor, None], [row.new_flavor for row in rows])
        self.assertIsNotNone(first.new_flavor)

    def test_pages_hold_all_once_newest_first(self):
        for number in range(7):
            self.keep(one(number, created_at=100.0 + number // 3))
        seen, marker = [], None
        with self.db.read() as tx:
            while True:
                page = self.db.migrations.page(tx, migrations.Asked(), 2, marker)
                if not page:
                    break
                seen += [row.id for row in page]
                marker = page[-1].record.uuid
            self.assertIsNone(self.db.migrations.page(tx, migrations.Asked(), 2, "nobody"))
        self.assertEqual([row.id for row in self.all()][::-1], seen)

    def test_filters(self):
        self.keep(one(1))
        self.keep(one(2, kind=model.LIVE, source="h3", dest="h1", status="running",
                      user_id="u", project_id="q", updated_at=500.0))
        for asked, found in (({"host": "h1"}, 2), ({"source": "h1"}, 1), ({"kind": model.LIVE}, 1),
                             ({"statuses": ("running", "x")}, 1), ({"project_id": "p"}, 1),
                             ({"user_id": "u"}, 1), ({"since": 200.0}, 1), ({"before": 200.0}, 1),
                             ({"server": "t"}, 0)):
            self.assertEqual(found, len(self.all(**asked)), asked)
