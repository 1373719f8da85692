# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The schema's histories are found in a checkout and in an installed package."""

import sys
import tempfile
from pathlib import Path
from unittest import mock

import testtools

from nova_cells.db import migrations


class ScriptLocation(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()

    def lay(self, *parts):
        """Make an alembic folder with an env.py and return it."""
        place = self.root.joinpath(*parts)
        place.mkdir(parents=True)
        (place / "env.py").touch()
        return place

    def module_at(self, *parts):
        return mock.patch.object(migrations, "__file__", str(self.root.joinpath(*parts)))

    def test_this_checkout_has_both(self):
        for history in migrations.HISTORIES:
            self.assertTrue(Path(migrations.script_location(history), "env.py").is_file())

    def test_checkout_comes_first(self):
        here = self.lay("checkout", "alembic", "view")
        self.lay("prefix", "share", "nova-cells", "alembic", "view")
        with (
            self.module_at("checkout", "nova_cells", "db", "migrations.py"),
            mock.patch.object(sys, "prefix", str(self.root / "prefix")),
        ):
            self.assertEqual(str(here), migrations.script_location("view"))

    def test_installed(self):
        there = self.lay("prefix", "share", "nova-cells", "alembic", "cell")
        with (
            self.module_at("prefix", "lib", "nova_cells", "db", "migrations.py"),
            mock.patch.object(sys, "prefix", str(self.root / "prefix")),
        ):
            self.assertEqual(str(there), migrations.script_location("cell"))

    def test_unknown_history(self):
        for name in ("", "main", "../view"):
            self.assertRaises(ValueError, migrations.script_location, name)

    def test_missing_says_where_it_looked(self):
        with (
            self.module_at("prefix", "lib", "nova_cells", "db", "migrations.py"),
            mock.patch.object(sys, "prefix", str(self.root / "prefix")),
        ):
            wrong = self.assertRaises(FileNotFoundError, migrations.script_location, "view")
        self.assertIn(str(self.root / "prefix" / "share" / "nova-cells"), str(wrong))
