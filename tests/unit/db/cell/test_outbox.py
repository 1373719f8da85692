# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Marks: one per record, cleared only as far as was sent."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.db import base

stamps = st.tuples(st.integers(1, 3), st.integers(1, 5))


class Outbox(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.store()
        self.outbox = self.db.outbox

    # Each database has a class of its own with this same method (tests/databases).
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(stamps, stamps)
    def test_cleared_exactly_if_what_arrived_is_not_older(self, marked, arrived):
        with self.db.write() as tx:
            self.outbox.drop(tx, "server", "u")
            self.outbox.mark(tx, "server", "u", *marked, 0.0)
            self.assertEqual(arrived >= marked, self.outbox.clear(tx, "server", "u", *arrived))
            self.assertEqual([] if arrived >= marked else [("server", "u", *marked)],
                             self.outbox.marks(tx, 10))

    def test_one_mark_per_record_and_its_place_in_the_queue_stays(self):
        with self.db.write() as tx:
            for now, uuid in enumerate(("a", "b", "a")):
                self.outbox.mark(tx, "server", uuid, 1, now + 1, float(now))
            self.assertEqual([("server", "a", 1, 3), ("server", "b", 1, 2)],
                             self.outbox.marks(tx, 10))
            self.assertEqual([("server", "a", 1, 3)], self.outbox.marks(tx, 1))
            self.assertEqual(2, self.outbox.length(tx))

    def test_kinds_do_not_touch_each_other(self):
        with self.db.write() as tx:
            self.outbox.mark(tx, "server", "u", 1, 1, 0.0)
            self.assertFalse(self.outbox.clear(tx, "host", "u", 9, 9))
            self.assertEqual(1, self.outbox.length(tx))
