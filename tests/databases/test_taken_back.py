# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A fifth of all commits is taken back, as by a deadlock or by Galera (R7): no double effects.

The whole cluster from a seed, with every fault of the simulation besides; at rest every invariant
holds.  On SQLite in memory, where the only deadlocks are ours.
"""

import collections
import random
from unittest import mock

import sqlalchemy as sa
import testtools
from oslo_db import exception as db_exc

from nova_cells.db import again
from tests.simulation import workload

SEEDS = range(7001, 7004)
SHARE = 0.2


class TakenBack(testtools.TestCase):
    def test_no_effect_is_doubled_or_lost(self):
        counted = collections.Counter()
        with mock.patch.object(again, "PAUSE", 0.0):
            for seed in SEEDS:
                run = workload.Run(seed)
                chance = random.Random(seed)
                for database in (run.cluster.view, *run.cluster.stores.values()):
                    self.spoil(database.engine, chance, counted)
                run.go()
        self.assertGreater(counted["taken back"], 0.15 * counted["commits"])
        self.assertGreater(counted["commits"], 1000)

    def spoil(self, engine, chance, counted):
        def commit(connection):
            if not connection.get_execution_options().get("write"):
                return
            counted["commits"] += 1
            if chance.random() < SHARE:
                counted["taken back"] += 1
                raise db_exc.DBDeadlock(ValueError("1213, injected"))
        sa.event.listen(engine, "commit", commit)


class Tries(testtools.TestCase):
    def test_few_are_enough(self):
        """Of a thousand decisions: how often each was begun."""
        chance = random.Random(7)
        tries = collections.Counter()

        def decision():
            begun[0] += 1
            if chance.random() < SHARE:
                raise db_exc.DBDeadlock(ValueError("injected"))
        with mock.patch.object(again, "PAUSE", 0.0):
            for _ in range(1000):
                begun = [0]
                try:
                    again.decide(decision)
                except db_exc.DBDeadlock:
                    begun = [99]
                tries[begun[0]] += 1
        self.assertLess(sum(count for number, count in tries.items() if number > 3), 20)
        self.assertLessEqual(tries[99], 2)

    def test_nobody_further_out_tries_again(self):
        begun = []

        def decision():
            begun.append(1)
            raise db_exc.DBDeadlock(ValueError("always"))
        with mock.patch.object(again, "PAUSE", 0.0):
            self.assertRaises(db_exc.DBDeadlock, again.answer,
                              lambda: again.decide(decision))
        self.assertEqual(again.TRIES, len(begun))

    def test_a_lost_connection_is_not_repeated(self):
        begun = []

        def decision():
            begun.append(1)
            raise db_exc.DBConnectionError(ValueError("2013"))
        self.assertRaises(db_exc.DBConnectionError, again.decide, decision)
        self.assertEqual(1, len(begun))
