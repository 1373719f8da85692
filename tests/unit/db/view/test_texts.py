# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is written is read back to the bit, and found and ordered alike on every database (T13).

What is expected is computed here, not by SQLite: texts are ordered by code point, and two that
differ in anything, a blank at the end included, are two.
"""

import math
import random

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_cells.db.view import flavors, keypairs, listing
from nova_cells.domain import server as model
from tests.unit.db import base
from tests.unit.db.view.test_listing import server

NAMES = [
    "", " ", "a", "a ", "a  ", "A", "a\u0301", "á", "ä", "z", "Z", "Zebra", "ant", "Ant", "é", "e",
    "ß", "ss", "ﬁ", "fi", "ı", "I", "i", "İ", "日本", "日", "🐟", "🐠", "🐟🐠", "\U0010ffff",
    "\uffff", "a-b", "aa", "a_b", "a.b", "0", "10", "2", "~", "x" * 255, "é" * 255, "🐟" * 255,
    "line\nbreak", "trailing\n"]
TIMES = [0.0, 1.5, 1_800_000_000.123456, 1_800_000_000.1234567, 1e-9, 4102444799.999999,
         math.nextafter(1_800_000_000.0, 0), 0.1 + 0.2, 253402300799.0]


class Texts(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.view()
        names = list(NAMES)
        random.Random(1).shuffle(names)
        self.named = {server(n).uuid: name for n, name in enumerate(names)}
        with self.db.write() as tx:
            for number, name in enumerate(names):
                self.db.servers.insert(tx, server(number, name=name), 5.0)

    def listed(self, size, descending, **query):
        found, marker = [], None
        while True:
            with self.db.read() as tx:
                rows = listing.page(tx, listing.Query(
                    limit=size, marker=marker, sorts=(("display_name", descending),), **query),
                    listing.BRIEF)
            found += [(row.name, row.uuid) for row in rows]
            if len(rows) < size:
                return found
            marker = rows[-1].uuid

    def test_order_and_pages(self):
        wanted = sorted((name, uuid) for uuid, name in self.named.items())
        for size in (1, 3, 7, 100):
            self.assertEqual(wanted, self.listed(size, False))
            self.assertEqual(wanted[::-1], self.listed(size, True))

    def test_equal_means_equal(self):
        with self.db.read() as tx:
            for name in NAMES:
                for pattern in {f"^{name[:9]}$"} if name[:9].isalnum() else ():
                    found = listing.page(tx, listing.Query(
                        limit=99, matched={"name": pattern}), listing.BRIEF)
                    self.assertEqual([name] if len(name) < 10 else [],
                                     [row.name for row in found], pattern)

    def test_the_end_is_the_end(self):
        """Not the place before a line break that ends the text."""
        with self.db.read() as tx:
            for pattern, wanted in (("g$", set()), ("line.", set()), ("line[^x]b", {"line\nbreak"}),
                                    ("k$", {"line\nbreak"})):
                found = listing.page(tx, listing.Query(limit=99, matched={"name": pattern}),
                                     listing.BRIEF)
                self.assertEqual(wanted, {row.name for row in found}, pattern)

    def test_names_that_only_look_alike_are_two(self):
        with self.db.write() as tx:
            for number, name in enumerate(("key", "Key", "key ", "kéy", "ke\u0301y", "🔑")):
                self.db.keypairs.create(tx, keypairs.KeyPair(
                    user_id="u", name=name, fingerprint="f", public_key="p"), 100)
                self.db.flavors.create(tx, model.Flavor(
                    id=name, name=name, vcpus=1, ram_mb=1, disk_gb=1,
                    extra_specs={"k": str(number), "K": "upper", "k ": "blank"}), 1.0)
        with self.db.read() as tx:
            names = ["Key", "key", "key ", "ke\u0301y", "kéy", "🔑"]
            self.assertEqual(names, [pair.name for pair in self.db.keypairs.list(tx, "u")])
            self.assertEqual(names, [one.name for one in self.db.flavors.list(
                tx, flavors.Query(sort_key="name"))])
            self.assertEqual({"k": "2", "K": "upper", "k ": "blank"},
                             self.db.flavors.get(tx, "key ").extra_specs)


class Values(base.DatabaseTestCase):
    def test_times_are_kept_to_the_bit(self):
        view = self.view()
        with view.write() as tx:
            for number, time in enumerate(TIMES):
                view.servers.insert(tx, server(number, created_at=time), 5.0)
        with view.read() as tx:
            for number, time in enumerate(TIMES):
                self.assertEqual(time, view.servers.row(tx, server(number).uuid).created_at)
                self.assertEqual(1, len(tx.execute(
                    view_query(time)).all()), time)

    def test_any_text_and_any_bytes(self):
        view = self.view()
        texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
                        max_size=255)

        @settings(max_examples=40, deadline=None)
        @given(texts, st.binary(max_size=300), st.integers(0, 2**53))
        def check(text, data, version):
            with view.write() as tx:
                tx.exec_driver_sql("DELETE FROM servers")
                view.servers.insert(tx, server(1, name=text, description=text, version=version),
                                    5.0, sealed=data)
                row = view.servers.row(tx, server(1).uuid)
                self.assertEqual((text, text, data, version),
                                 (row.name, row.description, bytes(row.sealed), row.version))
                self.assertEqual(text, view.servers.record(tx, row.uuid).name)
        check()

    def test_large_records(self):
        view = self.view()
        large = random.Random(2).randbytes(10_000_000)
        with view.write() as tx:
            view.servers.insert(tx, server(1), 5.0, sealed=large)
            self.assertEqual(large, bytes(view.servers.row(tx, server(1).uuid).sealed))


def view_query(time):
    """By equality with a time, as compare-and-swaps on times have it."""
    return sa.select(listing.t.c.uuid).where(listing.t.c.created_at == time)
