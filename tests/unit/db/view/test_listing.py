# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Patterns and pages mean the same on every database."""

import re

import hypothesis
from hypothesis import strategies as st

from nova_cells.db.view import listing, patterns
from nova_cells.domain import errors
from nova_cells.domain import server as model
from tests.unit.db import base

FLAVOR = model.Flavor(id="1", name="f", vcpus=1, ram_mb=1, disk_gb=1)
NAMES = ["ant", "Ant", "bee", "web-1", "web-22", "a.b", "a+b", "a b", "tab\tname", "ünï", "日本",
         "100%", "under_score", "back\\slash", "quote'", "[set]", "caf\u00e9", "", "x" * 250]
PATTERNS = ["a", "^a", "b$", "^a.b$", "web-[0-9]+", "web-[0-9]{2}", "[A-Z]", "[^a-z]", "a|b",
            "^(a|w)", "\\.", "\\+", "\\d", "\\w+$", "\\s", "\\S", "e{2}", "ee?", ".*", "^$",
            "[[]", "\\\\", "'", "%", "_", "é", "日", "[a-c]e", "x{200}", "\\[set\\]", "a*b",
            "(?:ab?)", "[.]", "[\\w.]+b", "é$", "-", "[-a]", "[a-]b"]


def server(number, **fields):
    facts = {"uuid": f"{number:08x}-0000-4000-8000-000000000000", "project_id": "p",
             "user_id": "u", "epoch": 1, "version": 1, "created_at": 1000.0 + number,
             "rest": "active", "flavor": FLAVOR}
    return model.Server(**{**facts, **fields})


class Patterns(base.DatabaseTestCase):

    def test_the_database_finds_what_python_finds(self):
        view = self.view()
        with view.write() as tx:
            for number, name in enumerate(NAMES):
                view.servers.insert(tx, server(number, name=name), 5000.0)
        for pattern in PATTERNS:
            query = listing.Query(limit=1000, matched={"name": pattern})
            with view.read() as tx:
                found = [row.name for row in listing.page(tx, query, listing.BRIEF)]
            wanted = [name for name in NAMES if re.search(pattern, name, re.ASCII)]
            self.assertEqual(sorted(wanted), sorted(found), pattern)

    def test_rewriting_keeps_the_meaning(self):
        @hypothesis.settings(max_examples=300, deadline=None)
        @hypothesis.given(st.lists(st.sampled_from(
            ["a", "b", ".", "-", "\\.", "[ab]", "[^b]", "\\d", "a?", "b+", "(a|b)", "1", "x{2}",
             "^", "$", "\\w", " "]), min_size=1, max_size=5).map("".join),
            st.text("ab1x. -", max_size=8))
        def check(pattern, text):
            try:
                ours = patterns.portable(pattern)
            except errors.Invalid:
                return
            self.assertEqual(bool(re.search(pattern, text, re.ASCII)),
                             bool(re.search(ours, text, re.ASCII)))
        check()

    def test_what_is_refused(self):
        for pattern in ("(a+)+", "(?=a)", "(a)\\1", "(?i)a", "a{999}", "\\bx", "[", "a\nb",
                        "x" * 256, "a*" * 7, "(?P<n>a)(?P=n)", "(a*)*", "(?<!a)b", "\\Bx"):
            self.assertRaises(errors.Invalid, patterns.portable, pattern)


class Pages(base.DatabaseTestCase):
    """Every row exactly once, in the order asked, whatever the order and the page."""

    def setUp(self):
        super().setUp()
        self.db = self.view()

    def test_walks(self):
        with self.db.write() as tx:
            for number in range(23):
                self.db.servers.insert(tx, server(
                    number, name=f"s{number % 5}", locked=number % 2 == 0,
                    host=f"h{number % 3}" if number % 4 else None,
                    launched_at=100.0 * (number % 6) or None, created_at=1000.0 + number // 3,
                    rest="active" if number % 2 else "stopped"), 5000.0)
        for keys in (["created_at"], ["uuid"], ["display_name"], ["locked", "display_name"],
                     ["host", "launched_at"], ["launched_at", "locked", "vm_state"],
                     ["display_name", "uuid"]):
            for bits in range(2 ** len(keys)):
                sorts = tuple((key, bool(bits >> place & 1)) for place, key in enumerate(keys))
                whole = self.walk(sorts, 100)
                self.assertEqual(23, len(set(whole)))
                for size in (1, 4, 23):
                    self.assertEqual(whole, self.walk(sorts, size), sorts)

    def walk(self, sorts, size):
        found, marker = [], None
        while True:
            query = listing.Query(limit=size, marker=marker, sorts=sorts,
                                  equal={"project_id": ["p"]})
            with self.db.read() as tx:
                rows = listing.page(tx, query, listing.BRIEF)
            found += [row.uuid for row in rows]
            if len(rows) < size:
                return found
            marker = rows[-1].uuid

    def test_a_statement_is_made_once_and_holds_no_values(self):
        with self.db.write() as tx:
            for number in range(4):
                self.db.servers.insert(tx, server(
                    number, name=f"s{number}", project_id="pq"[number % 2],
                    created_at=1000.0 + number, updated_at=2000.0 + number), 3000.0 + number)
        asked = [({"equal": {"project_id": [project]}, "limit": limit}, wanted)
                 for project, limit, wanted in (("p", 9, "20"), ("q", 9, "31"), ("q", 1, "3"),
                                                ("x", 9, ""))]
        asked += [({"equal": {"project_id": several}, "limit": 9}, wanted)
                  for several, wanted in ((["p", "q"], "3210"), (["q", "x", "y"], "31"))]
        asked += [({"since": since, "window": 1.0, "limit": 9, "deleted": None}, wanted)
                  for since, wanted in ((3003.5, "3"), (3001.9, "321"))]
        asked += [({"before": before, "limit": 9, "deleted": deleted}, wanted)
                  for before, deleted, wanted in ((2001, False, "10"), (2000, False, "0"),
                                                  (2001, True, ""))]
        asked += [({"matched": {"name": pattern}, "limit": 9}, wanted)
                  for pattern, wanted in (("s[12]", "21"), ("s3", "3"))]
        made = listing._statement.cache_info
        for _round in range(2):
            before = made().misses
            for fields, wanted in asked:
                with self.db.read() as tx:
                    rows = listing.page(tx, listing.Query(**fields), listing.BRIEF)
                self.assertEqual([f"s{one}" for one in wanted], [row.name for row in rows], fields)
        self.assertEqual(before, made().misses)

    def test_only_known_filters(self):
        with self.db.read() as tx:
            self.assertRaises(errors.Bug, listing.page, tx,
                              listing.Query(limit=1, equal={"sealed": ["x"]}), listing.BRIEF)

    def test_a_page_uses_an_index(self):
        """Growth: from 10,000 to 1,000,000 servers a page may cost little more."""
        if self.db.engine.dialect.name != "sqlite":
            self.skipTest("reads the plan as SQLite tells it")
        with self.db.read() as tx:
            for where in ("project_id = 'p' AND deleted = 0", "deleted = 0"):
                plan = tx.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN SELECT doc FROM servers WHERE {where} AND "
                    f"created_at <= 9 AND (created_at < 9 OR (created_at = 9 AND uuid < 'x')) "
                    f"ORDER BY created_at DESC, uuid DESC LIMIT 20").fetchall()
                text = " ".join(str(row) for row in plan)
                self.assertIn("USING INDEX ix_servers", text)
                self.assertNotIn("TEMP B-TREE", text)
