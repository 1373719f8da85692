# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Quota: limits by level, usage by sums, and 100 racers of whom ten may pass."""

import uuid

from nova_cells.db import again
from nova_cells.db.view import quota, tables
from nova_cells.domain import errors
from tests.unit.db import base
from tests.unit.db.view import rows

DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100,
            "injected_file_path_length": 255}


class Base(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.view(max_overflow=100)
        self.quota = quota.Quota(DEFAULTS)

    def server(self, tx, project="p", user="u", vcpus=1, ram_mb=64, counted=True):
        tx.execute(tables.servers.insert().values(rows.server(
            uuid=str(uuid.uuid4()), project_id=project, user_id=user, counted=counted,
            vcpus=vcpus, ram_mb=ram_mb)))


class Limits(Base):
    def test_defaults(self):
        with self.db.read() as tx:
            limits = self.quota.limits(tx, "p", "u")
        self.assertEqual(10, limits["instances"])
        self.assertEqual(255, limits["injected_file_path_bytes"])
        self.assertEqual(-1, limits["fixed_ips"])
        self.assertEqual(set(quota.RESOURCES), set(limits))

    def test_class_then_project_then_user(self):
        with self.db.write() as tx:
            self.quota.set_class_limits(tx, "default", {"instances": 11, "cores": 21, "ram": 3})
            self.quota.set_limits(tx, "p", None, {"instances": 12, "cores": 22})
            self.quota.set_limits(tx, "p", "u", {"instances": 2})
            limits = self.quota.limits(tx, "p", "u")
            other = self.quota.limits(tx, "other")
        self.assertEqual((2, 22, 3), tuple(limits[n] for n in quota.COUNTED))
        self.assertEqual((11, 21, 3), tuple(other[n] for n in quota.COUNTED))

    def test_setting_again_replaces(self):
        with self.db.write() as tx:
            for limit in (5, 7):
                self.quota.set_limits(tx, "p", None, {"cores": limit})
            self.assertEqual(7, self.quota.limits(tx, "p")["cores"])

    def test_another_class_changes_nothing(self):
        with self.db.write() as tx:
            self.quota.set_class_limits(tx, "gold", {"cores": 500})
            self.assertEqual(20, self.quota.limits(tx, "p")["cores"])
            self.assertEqual(500, self.quota.class_limits(tx, "gold")["cores"])

    def test_delete_of_a_user_leaves_the_project(self):
        with self.db.write() as tx:
            self.quota.set_limits(tx, "p", None, {"cores": 22})
            self.quota.set_limits(tx, "p", "u", {"cores": 2})
            self.quota.delete_limits(tx, "p", "u")
            self.assertEqual(22, self.quota.limits(tx, "p", "u")["cores"])

    def test_delete_of_a_project_takes_its_users_along(self):
        with self.db.write() as tx:
            self.quota.set_limits(tx, "p", None, {"cores": 22})
            self.quota.set_limits(tx, "p", "u", {"cores": 2})
            self.quota.delete_limits(tx, "p")
            self.assertEqual(20, self.quota.limits(tx, "p", "u")["cores"])

    def test_unknown_resource(self):
        with self.db.write() as tx:
            self.assertRaises(errors.Invalid, self.quota.set_limits, tx, "p", None,
                              {"bananas": 1})
            self.assertRaises(errors.Invalid, self.quota.set_class_limits, tx, "default",
                              {"bananas": 1})


class Used(Base):
    def test_sums_of_rows_that_count_and_of_reservations(self):
        with self.db.write() as tx:
            self.server(tx, vcpus=2, ram_mb=100)
            self.server(tx, vcpus=3, ram_mb=200, user="other")
            self.server(tx, vcpus=50, counted=False)
            self.server(tx, vcpus=50, project="elsewhere")
            self.quota.hold(tx, "op", "s", "p", "u", 0, 4, 400, 1.0)
            project = self.quota.usage(tx, "p")
            user = self.quota.usage(tx, "p", "u")
        self.assertEqual([(2, 0), (5, 4), (300, 400)], [project[n] for n in quota.COUNTED])
        self.assertEqual([(1, 0), (2, 4), (100, 400)], [user[n] for n in quota.COUNTED])

    def test_release_gives_back_and_may_be_repeated(self):
        with self.db.write() as tx:
            self.quota.hold(tx, "op", "s", "p", "u", 1, 4, 400, 1.0)
            self.quota.release(tx, "op")
            self.quota.release(tx, "op")
            self.assertEqual((0, 0), self.quota.usage(tx, "p")["cores"])

    def test_nothing_there(self):
        with self.db.read() as tx:
            self.assertEqual({(0, 0)}, set(self.quota.usage(tx, "p", "u").values()))


class Check(Base):
    def test_sentence_names_every_resource_that_is_over(self):
        with self.db.write() as tx:
            for _ in range(10):
                self.server(tx, vcpus=2)
            error = self.assertRaises(errors.OverLimit, self.quota.check, tx, "p", "u", 1, 4, 8)
        self.assertEqual("Quota exceeded for instances, cores: Requested 1, 4, but already used "
                         "10, 20 of 10, 20 instances, cores", str(error))

    def test_exactly_full_is_fine(self):
        with self.db.write() as tx:
            self.server(tx, vcpus=2)
            self.quota.check(tx, "p", "u", 9, 18, 0)
            self.assertRaises(errors.OverLimit, self.quota.check, tx, "p", "u", 9, 19, 0)

    def test_what_is_reserved_counts(self):
        with self.db.write() as tx:
            self.quota.hold(tx, "op", "s", "p", "u", 10, 0, 0, 1.0)
            self.assertRaises(errors.OverLimit, self.quota.check, tx, "p", "u", 1, 0, 0)

    def test_unlimited(self):
        with self.db.write() as tx:
            self.quota.set_limits(tx, "p", None, dict.fromkeys(quota.COUNTED, -1))
            self.quota.check(tx, "p", "u", 10**6, 10**6, 10**9)

    def test_limit_of_the_user_and_of_the_project_both_hold(self):
        with self.db.write() as tx:
            self.quota.set_limits(tx, "p", "u", {"instances": 2})
            self.quota.set_limits(tx, "p", "v", {"instances": 50})
            self.quota.check(tx, "p", "u", 2, 0, 0)
            self.assertRaises(errors.OverLimit, self.quota.check, tx, "p", "u", 3, 0, 0)
            self.assertRaises(errors.OverLimit, self.quota.check, tx, "p", "v", 11, 0, 0)

    def test_over_already_but_asking_for_nothing_of_it(self):
        with self.db.write() as tx:
            self.server(tx, vcpus=30)
            self.quota.check(tx, "p", "u", 1, 0, 1)


class Race(Base):
    def test_100_racers_and_a_limit_of_ten(self):
        tried = []

        def create() -> str:
            tried.append(1)
            with self.db.write() as tx:
                self.quota.guard(tx, "p")
                self.quota.check(tx, "p", "u", 1, 1, 64)
                self.server(tx)
            return "made"

        outcomes = self.race(100, lambda _number: again.decide(create))
        over = [one for one in outcomes if isinstance(one, errors.OverLimit)]
        self.assertEqual((10, 90), (outcomes.count("made"), len(over)), outcomes)
        self.assertEqual(100, len(tried), "the guard row lets them in one by one")
        with self.db.read() as tx:
            self.assertEqual(10, self.quota.usage(tx, "p")["instances"].in_use)
            turn = tx.execute(tables.quota_guards.select()).one()
        # Those that were refused took their turn back with everything else.
        self.assertEqual(("project:p", 10), tuple(turn))

    def test_guards_of_a_project_and_a_user_of_the_same_id_are_two(self):
        with self.db.write() as tx:
            self.quota.guard(tx, "x")
            self.quota.guard_user(tx, "x")
            self.quota.guard(tx, "x")
            found = {tuple(row) for row in tx.execute(tables.quota_guards.select())}
        self.assertEqual({("project:x", 2), ("user:x", 1)}, found)
