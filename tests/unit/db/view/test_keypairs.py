# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Key pairs: per user, paged by name, and never more than the limit."""

import threading

from nova_cells.db.view import keypairs
from nova_cells.domain import errors
from tests.unit.db.view import test_quota


def pair(name="key", user="u", **values):
    return keypairs.KeyPair(user_id=user, name=name, fingerprint="aa:bb", public_key="ssh-x y",
                            created_at=5.0, **values)


class Base(test_quota.Base):
    def setUp(self):
        super().setUp()
        self.keypairs = keypairs.KeyPairs()

    def make(self, *wanted, limit=-1):
        with self.db.write() as tx:
            return [self.keypairs.create(tx, one, limit) for one in wanted]


class Crud(Base):
    def test_comes_back_whole(self):
        [made] = self.make(pair(kind="x509"))
        with self.db.read() as tx:
            self.assertEqual(made, self.keypairs.get(tx, "u", "key"))
        self.assertNotEqual(0, made.id)

    def test_name_is_taken_per_user(self):
        self.make(pair(), pair(user="v"))
        error = self.assertRaises(errors.Conflict, self.make, pair())
        self.assertEqual("Key pair 'key' already exists.", str(error))

    def test_delete_and_what_is_not_there(self):
        self.make(pair())
        with self.db.write() as tx:
            self.keypairs.delete(tx, "u", "key")
            self.assertRaises(errors.NotFound, self.keypairs.delete, tx, "u", "key")
            error = self.assertRaises(errors.NotFound, self.keypairs.get, tx, "u", "key")
        self.assertEqual("Keypair key not found for user u", str(error))

    def test_somebody_elses_is_not_there(self):
        self.make(pair(user="v"))
        with self.db.write() as tx:
            self.assertRaises(errors.NotFound, self.keypairs.get, tx, "u", "key")
            self.assertRaises(errors.NotFound, self.keypairs.delete, tx, "u", "key")

    def test_pages(self):
        self.make(*(pair(name) for name in "dbaec"), pair("a", user="v"))
        with self.db.read() as tx:
            def names(**query):
                return "".join(p.name for p in self.keypairs.list(tx, "u", **query))
            self.assertEqual("abcde", names())
            self.assertEqual("ab", names(limit=2))
            self.assertEqual("cd", names(limit=2, marker="b"))
            self.assertEqual("", names(marker="e"))
            self.assertEqual("", names(limit=0))
            self.assertRaises(errors.Invalid, names, marker="nobody")


class Limit(Base):
    def test_full(self):
        self.make(pair("a"), pair("b"), limit=2)
        error = self.assertRaises(errors.OverLimit, self.make, pair("c"), limit=2)
        self.assertEqual("Quota exceeded, too many key pairs.", str(error))
        self.make(pair("a", user="v"), limit=1)
        with self.db.read() as tx:
            self.assertEqual(2, self.quota.usage(tx, "p", "u")["key_pairs"].in_use)

    def test_a_limit_of_none(self):
        self.assertRaises(errors.OverLimit, self.make, pair(), limit=0)

    def test_racers(self):
        outcomes = []

        def create(n):
            try:
                self.make(pair(f"k{n}"), limit=5)
                outcomes.append("made")
            except errors.OverLimit:
                outcomes.append("over")

        racers = [threading.Thread(target=create, args=(n,)) for n in range(30)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        self.assertEqual((5, 25), (outcomes.count("made"), outcomes.count("over")))
