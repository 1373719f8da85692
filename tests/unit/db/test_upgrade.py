# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the migrations make is what the code believes, for both histories."""

import os

import fixtures
import testtools
from alembic import autogenerate
from alembic.runtime import migration

from nova_cells.db import engine, migrations
from nova_cells.db.cell import tables as cell_tables
from nova_cells.db.view import tables as view_tables
from tests.recorded import schema
from tests.unit.db import base

METADATA = {"view": view_tables.metadata, "cell": cell_tables.metadata}


class Upgrade(base.DatabaseTestCase):
    def test_there_is_metadata_for_every_history(self):
        self.assertEqual(set(migrations.HISTORIES), METADATA.keys())

    def test_migrated_schema_is_the_metadata(self):
        for history, metadata in METADATA.items():
            url = self.url()
            migrations.upgrade(history, url)
            database = self.opened(engine.Database(url))
            with database.read() as connection:
                context = migration.MigrationContext.configure(
                    connection, opts={
                        # MariaDB has a name of its own for a blob of this length.
                        "compare_type": database.engine.dialect.name != "mysql"})
                self.assertEqual([], autogenerate.compare_metadata(context, metadata), history)

    def test_upgrading_twice_changes_nothing(self):
        for history in METADATA:
            url = self.url()
            migrations.upgrade(history, url)
            before = self.schema(url)
            migrations.upgrade(history, url)
            self.assertEqual(before, self.schema(url))
            self.assertEqual(schema.recorded(history).keys(), before.keys())
            found, newest = migrations.current(history, url)
            self.assertIsNotNone(found)
            self.assertEqual(newest, found)

    def schema(self, url):
        return schema.described(self.opened(engine.Database(url)).engine)


class Files(testtools.TestCase):
    """What only SQLite has: a file."""

    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def test_unreachable_database_is_said_in_one_sentence(self):
        problem = self.assertRaises(engine.Unusable, migrations.upgrade, "view",
                                    f"sqlite:///{self.folder}/no/such/place")
        self.assertIn("cannot use the database", problem.message)
        self.assertNotIn("\n", problem.message)

    def test_file_that_is_no_database_is_said_in_one_sentence(self):
        with open(os.path.join(self.folder, "db"), "wb") as file:
            file.write(b"noise " * 4096)
        problem = self.assertRaises(engine.Unusable, migrations.upgrade, "cell", f"sqlite:///{self.folder}/db")
        self.assertIn("not a database", problem.message)


class Engine(testtools.TestCase):
    def test_write_is_all_or_nothing(self):
        database = engine.Database("sqlite://")
        self.addCleanup(database.close)
        METADATA["cell"].create_all(database.engine)
        with testtools.ExpectedException(KeyError), database.write() as tx:
            tx.execute(cell_tables.outbox.insert().values(
                kind="server", uuid="u", epoch=1, version=1, marked_at=0))
            raise KeyError
        with database.read() as tx:
            self.assertEqual([], tx.execute(cell_tables.outbox.select()).all())

    def test_bad_url_is_unusable(self):
        for url in ("nonsense", "no-such-dialect://x/y"):
            self.assertRaises(engine.Unusable, engine.Database, url)
