# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Words for hosts, and which cells are silent."""

from nova_cells.db.view import liveness
from nova_cells.domain import records
from tests.unit.db import base

CELL = "ce110000-0000-4000-8000-000000000001"


class Liveness(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.view()
        with self.db.write() as tx:
            self.db.cells.create(tx, CELL, "one", "local://one", 1.0)

    def keep(self, name, **fields):
        record = records.HostRecord(uuid=f"uuid-{name}", name=name, version=1, **fields)
        with self.db.write() as tx:
            self.db.records.keep_host(tx, CELL, record, 1, 1.0)

    def statuses(self, *names):
        with self.db.read() as tx:
            found = liveness.statuses(tx, [(CELL, name) for name in names])
        return [found.get((CELL, name)) for name in names]

    def test_words(self):
        self.keep("a")
        self.keep("b", up=False)
        self.keep("c", disabled=True)
        self.keep("d", forced_down=True, disabled=True)
        self.assertEqual(["UP", "UNKNOWN", "MAINTENANCE", "DOWN", None],
                         self.statuses("a", "b", "c", "d", "missing"))

    def test_a_silent_cell_makes_its_hosts_unknown(self):
        self.keep("a")
        self.keep("d", forced_down=True)
        with self.db.write() as tx:
            self.db.cells.update(tx, CELL, 2.0, up=False)
        self.assertEqual(["UNKNOWN", "DOWN"], self.statuses("a", "d"))

    def test_a_host_of_the_same_name_elsewhere_is_another(self):
        self.keep("a")
        with self.db.read() as tx:
            self.assertEqual({}, liveness.statuses(tx, [("another", "a")]))

    def test_silent_cells_are_asked_for_now_and_then(self):
        now = [0.0]
        silent = liveness.Silent(lambda: now[0])

        def since():
            with self.db.read() as tx:
                return silent.since(tx)
        self.assertEqual({}, since())
        with self.db.write() as tx:
            self.db.cells.update(tx, CELL, 2.0, up=False, heard_at=7.0)
        self.assertEqual({}, since())
        now[0] = 1.0
        self.assertEqual({CELL: 7.0}, since())
