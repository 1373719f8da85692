# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What tests of databases have in common: a database of the kind that is asked for.

The environment says which (``NOVA_CELLS_TEST_DATABASE``), unless the class itself does; that is
how ``tests/databases`` runs these tests on each of them.
"""

import threading

import sqlalchemy as sa
import testtools

from nova_cells.db import cell as cells
from nova_cells.db import view as views
from nova_cells.db.cell import tables as cell_tables
from nova_cells.db.view import tables as view_tables
from tests.servers import databases, process


class DatabaseTestCase(testtools.TestCase):
    """Opens databases, and closes them when the test ends."""

    kind: str | None = None

    def database_kind(self) -> str:
        """Which kind this test runs on."""
        return self.kind or databases.kind()

    def url(self, metadata=None) -> str:
        """A database of this test's own: with these tables, or without any."""
        kind = self.database_kind()
        try:
            if metadata is None:
                return databases.empty(kind)
            url = databases.lend(kind, metadata)
        except process.Missing as missing:
            self.skipTest(str(missing))
        self.addCleanup(databases.give_back, url, kind, metadata)
        return url

    def opened(self, database):
        """Closed in the end."""
        self.addCleanup(database.close)
        return database

    def view(self, **options) -> views.View:
        """An empty view."""
        return self.opened(views.View(self.url(view_tables.metadata), **options))

    def store(self, **options) -> cells.CellStore:
        """An empty cell database."""
        return self.opened(cells.CellStore(self.url(cell_tables.metadata), **options))

    def race(self, count, racer) -> list:
        """``racer(number)`` in so many threads at once; what each returned, or the problem that
        it raised."""
        outcomes: list = [None] * count
        start = threading.Barrier(count)

        def run(number: int) -> None:
            start.wait()
            try:
                outcomes[number] = racer(number)
            except Exception as problem:
                outcomes[number] = problem
        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def between(self, database, statement, other) -> None:
        """Right before the next statement that begins so, ``other()`` happens, whole and committed:
        two transactions interleave where the test says, and not by luck."""
        if self.database_kind() == "sqlite":
            self.skipTest("on SQLite the second writer waits until the first has ended")
        pending = [other]

        @sa.event.listens_for(database.engine, "before_cursor_execute")
        def _before(_connection, _cursor, text, *_rest) -> None:
            if pending and " ".join(text.split()).startswith(statement):
                pending.pop()()
        self.addCleanup(lambda: self.assertEqual([], pending, f"never came: {statement}"))
