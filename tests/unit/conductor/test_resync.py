# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A resync in which the child is the truth: what is lifted, what is lost."""

from nova_cells.domain import commands, records
from tests.unit.conductor import base


class Lift(base.CellTest):
    def resync(self, *known, bucket=0):
        done = self.conductor.handle(commands.Resync(
            bucket=bucket, known=tuple(known), lift=True, order="o"), base.NOW)
        return done[0].message

    def test_records_are_raised_above_what_the_view_knows(self):
        uuid = self.active()
        self.resync((uuid, 1, 50))
        held = self.held(uuid)
        self.assertGreater(held.version, 50)
        self.assertEqual("active", held.server.rest)
        self.assertIn(("server", uuid), self.marks())

    def test_what_only_the_view_knows_is_lost_and_cannot_come_back(self):
        answer = self.resync((self.ids.uuid(), 3, 7))
        self.assertEqual(1, len(answer.lost))
        self.offer(answer.lost[0], epoch=3)
        self.assertIsNone(self.held(answer.lost[0]).server)

    def test_offer_that_the_copy_never_saw_confirmed_leaves_nothing(self):
        """The copy was taken between accepting and confirming: the row became a tombstone, and its
        mark and its claim stayed for ever."""
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.assertEqual({uuid: {"h1"}}, self.allocated())
        answer = self.resync((uuid, 1, 4))
        self.assertEqual((uuid,), answer.lost)
        self.assertNotIn(("server", uuid), self.marks())
        self.assertEqual({}, self.allocated())
        self.assertIsNone(self.held(uuid).server)

    def test_the_last_bucket_ends_the_halt(self):
        with self.store.write() as tx:
            self.store.facts.set(tx, halted="an old copy")
        self.resync(bucket=records.BUCKETS - 1)
        with self.store.read() as tx:
            self.assertIsNone(self.store.facts.get(tx).halted)
