# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a create that no cell takes just now is answered: an error, or 'try again later'."""

from nova_cells import clock
from nova_cells.api import orders
from nova_cells.domain import boot, errors, records, resources
from tests.unit.db import base
from tests.unit.db.test_races import CELLS, server


class Nowhere(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.view()
        with self.db.write() as tx:
            self.db.cells.create(tx, CELLS[0], "one", "local://", 1.0)

    def slots(self, count):
        shape = resources.shape(server(1, version=0, verb=None).flavor)
        with self.db.write() as tx:
            self.db.records.keep_slots(tx, CELLS[0], records.SlotsRecord(
                cell=CELLS[0], version=1, slots={shape: count}, zones={"nova": {shape: count}},
                catalogue=1, hosts=1, fullness=0.0), 1)

    def down(self):
        with self.db.write() as tx:
            self.db.cells.heard(tx, CELLS[0], 5.0)
            self.assertTrue(self.db.cells.silent(tx, CELLS[0], 5.0))

    def create(self):
        asked = orders.Asked(records=(server(1, version=0, verb=None),),
                             request=boot.BootRequest())
        return orders.Orders(self.db, clock.RandomIds()).boot(asked, 9.0)

    def counted(self):
        with self.db.read() as tx:
            return self.db.offers.count(tx, CELLS[0]), self.db.quota.usage(tx, "p")[
                "instances"].total

    def test_a_full_cell_is_an_error_that_its_owner_can_read(self):
        self.slots(0)
        self.assertEqual("error", self.create().servers[0].rest)

    def test_a_cell_that_is_down_and_has_room_makes_nothing(self):
        self.slots(5)
        self.down()
        self.assertRaises(errors.CellDown, self.create)
        self.assertEqual((0, 0), self.counted())

    def test_a_cell_that_is_down_and_full_is_an_error(self):
        self.slots(0)
        self.down()
        self.assertEqual("error", self.create().servers[0].rest)
