# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Group claims: slots of strict anti-affinity, the host of strict affinity, moves of members."""

from nova_cells.domain import errors, groups, migration
from tests.unit.db import base

ONE, TWO, THREE = (f"{number}a000000-0000-4000-8000-000000000000" for number in range(3))
GROUP = "c0000000-0000-4000-8000-000000000000"


class Base(base.DatabaseTestCase):
    policy, most = groups.ANTI_AFFINITY, 1

    def setUp(self):
        super().setUp()
        self.db = self.store()
        self.group = groups.Group(uuid=GROUP, policy=self.policy, max_per_host=self.most)

    def take(self, server, host, role=migration.HERE, force=False):
        with self.db.write() as tx:
            self.db.groups.take(tx, self.group, host, server, role, force)

    def leave(self, server, role=None):
        with self.db.write() as tx:
            self.db.groups.leave(tx, server, role)

    def land(self, server):
        with self.db.write() as tx:
            self.db.groups.land(tx, server)

    def fits(self, server, host):
        with self.db.read() as tx:
            return self.db.groups.fits(tx, self.group, host, server)

    def members(self):
        with self.db.read() as tx:
            return self.db.groups.members(tx)


class Apart(Base):
    most = 2

    def test_as_many_as_there_are_slots(self):
        self.take(ONE, "h1")
        self.take(TWO, "h1")
        self.assertFalse(self.fits(THREE, "h1"))
        self.assertRaises(errors.Stale, self.take, THREE, "h1")
        self.assertTrue(self.fits(THREE, "h2"))
        self.leave(ONE)
        self.take(THREE, "h1")
        self.assertEqual({TWO: {"h1"}, THREE: {"h1"}}, self.members())

    def test_one_that_is_there_whatever_the_policy_says(self):
        for server in (ONE, TWO, THREE):
            self.take(server, "h1", force=True)
        self.assertEqual(3, len(self.members()))

    def test_a_move_holds_both_places(self):
        self.take(ONE, "h1")
        self.take(TWO, "h1")
        self.take(ONE, "h2", migration.MOVE)
        self.assertEqual({"h1", "h2"}, self.members()[ONE])
        self.assertFalse(self.fits(THREE, "h1"))
        self.land(ONE)
        self.assertEqual({"h2"}, self.members()[ONE])
        self.assertTrue(self.fits(THREE, "h1"))

    def test_a_move_that_is_given_back(self):
        self.take(ONE, "h1")
        self.take(ONE, "h2", migration.MOVE)
        self.leave(ONE, migration.MOVE)
        self.assertEqual({ONE: {"h1"}}, self.members())

    def test_another_size_on_the_same_host_keeps_the_slot(self):
        self.take(ONE, "h1")
        self.take(TWO, "h1")
        self.assertTrue(self.fits(ONE, "h1"))
        self.take(ONE, "h1", migration.MOVE)
        self.land(ONE)
        self.assertEqual({ONE: {"h1"}, TWO: {"h1"}}, self.members())
        self.assertFalse(self.fits(THREE, "h1"))


class Together(Base):
    policy = groups.AFFINITY

    def test_one_host(self):
        self.assertTrue(self.fits(ONE, "h1"))
        self.take(ONE, "h1")
        self.assertFalse(self.fits(TWO, "h2"))
        self.assertRaises(errors.Stale, self.take, TWO, "h2")
        self.take(TWO, "h1")
        self.leave(ONE)
        self.assertFalse(self.fits(THREE, "h2"))
        self.leave(TWO)
        self.take(THREE, "h2")
        self.assertEqual({THREE: {"h2"}}, self.members())

    def test_the_only_member_takes_its_group_along(self):
        self.take(ONE, "h1")
        self.take(ONE, "h2", migration.MOVE)
        self.assertFalse(self.fits(TWO, "h1"))
        self.land(ONE)
        self.take(TWO, "h2")
        self.assertFalse(self.fits(ONE, "h1"))

    def test_and_back(self):
        self.take(ONE, "h1")
        self.take(ONE, "h2", migration.MOVE)
        self.leave(ONE, migration.MOVE)
        self.assertFalse(self.fits(TWO, "h2"))
        self.take(TWO, "h1")
