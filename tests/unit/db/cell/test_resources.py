# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Claims: by generation, whole, given back whole."""

from nova_cells.domain import resources as model
from tests.unit.db import base


class Claims(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.store()
        self.provider = model.Provider(uuid="p", name="h1", host="h1", inventory={
            "VCPU": model.Inventory(total=4, allocation_ratio=2.0),
            "MEMORY_MB": model.Inventory(total=1024, reserved=24)})
        with self.db.write() as tx:
            self.assertTrue(self.db.resources.put(tx, self.provider))

    def claim(self, server, generation, **amounts):
        with self.db.write() as tx:
            return self.db.resources.claim(tx, server, "here", "p", generation, amounts)

    def usage(self):
        with self.db.read() as tx:
            return self.db.resources.usage(tx, "p")

    def test_of_two_on_the_same_snapshot_one_wins(self):
        self.assertTrue(self.claim("a", 1, VCPU=1))
        self.assertFalse(self.claim("b", 1, VCPU=1))
        self.assertTrue(self.claim("b", 2, VCPU=2))
        self.assertEqual({"VCPU": 3}, self.usage().used)

    def test_capacity_is_less_what_is_reserved_times_the_ratio(self):
        self.assertEqual({"VCPU": 8, "MEMORY_MB": 1000}, self.usage().capacity())
        self.claim("a", 1, VCPU=3, MEMORY_MB=100)
        self.assertEqual({"VCPU": 5, "MEMORY_MB": 900}, self.usage().free())

    def test_release_gives_back_and_moves_the_generation(self):
        self.claim("a", 1, VCPU=1, MEMORY_MB=1)
        with self.db.write() as tx:
            self.assertTrue(self.db.resources.release(tx, "a"))
            self.assertFalse(self.db.resources.release(tx, "a"))
            self.assertEqual({"p": 3}, self.db.resources.generations(tx))
        self.assertEqual({}, self.usage().used)

    def test_put_again_changes_nothing_and_another_inventory_moves_the_generation(self):
        with self.db.write() as tx:
            self.assertFalse(self.db.resources.put(tx, self.provider))
            more = model.Provider(uuid="p", name="h1", host="h1", traits=("T",), inventory={
                "VCPU": model.Inventory(total=8)})
            self.assertTrue(self.db.resources.put(tx, more))
            found = self.db.resources.provider(tx, "p")
        self.assertEqual((2, ("T",), {"VCPU"}),
                         (found.generation, found.traits, found.inventory.keys()))

    def test_unknown_provider(self):
        with self.db.read() as tx:
            self.assertIsNone(self.db.resources.usage(tx, "nobody"))
