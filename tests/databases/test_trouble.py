# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A database that is restarted, killed, read-only, frozen, full of others (R3).

Writes fail in words that the API turns into 503; when it is back, the same process goes on.
"""

import os
import pathlib
import signal
import threading
import time
from unittest import mock

import pymysql
import sqlalchemy as sa
import testtools
from oslo_db import exception as db_exc

from nova_cells.db import again, engine, migrations, refusals
from nova_cells.db import view as views
from nova_cells.db.view import listing, tables
from nova_cells.domain import errors
from tests.servers import mariadb, postgresql, process
from tests.unit.db.view.test_listing import server


class Trouble:
    """The same for both; ``make`` is the class of the server."""

    make: type

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.server = cls.make().start()
        except process.Missing as missing:
            raise cls.skipException(str(missing)) from None
        cls.addClassCleanup(cls.server.remove)

    def setUp(self):
        super().setUp()
        self.name = f"t_{self.id().rpartition('.')[2]}"[:60]
        self.view = self.opened(self.server.url(self.name))
        self.view.create_tables()
        self.addCleanup(tables.metadata.drop_all, self.view.engine)
        with self.view.write() as tx:
            self.view.servers.insert(tx, server(1), 1.0)

    def opened(self, url, **options):
        view = views.View(url, **{"statement_timeout": 3, "connect_timeout": 3, **options})
        self.addCleanup(view.close)
        return view

    def count(self, view=None):
        view = view or self.view
        with view.read() as tx:
            return len(listing.page(tx, listing.Query(limit=100), listing.BRIEF))

    def add(self, number, view=None):
        view = view or self.view
        with view.write() as tx:
            view.servers.insert(tx, server(number), 1.0)

    def test_restarted_between_two_requests(self):
        self.server.restart()
        self.assertEqual(1, self.count())
        self.server.restart()
        self.add(2)
        self.assertEqual(2, self.count())

    def test_killed_in_the_middle_of_a_transaction(self):
        def killed():
            with self.view.write() as tx:
                self.view.servers.insert(tx, server(2), 1.0)
                self.server.kill()
                self.view.servers.insert(tx, server(3), 1.0)
        self.assertRaises(db_exc.DBConnectionError, again.decide, killed)
        for _ in range(2):
            self.assertRaises(engine.UNAVAILABLE, self.count)
        self.assertRaises(engine.Unusable, self.view.ping)
        self.server.start()
        self.assertEqual(1, self.count())
        self.add(2)
        self.assertEqual(2, self.count())

    def test_what_was_committed_survives_a_kill(self):
        kept = []
        stop = threading.Event()

        def write():
            for number in range(2, 2000):
                if stop.is_set():
                    return
                try:
                    self.add(number)
                except engine.UNAVAILABLE:
                    return
                kept.append(server(number).uuid)
        thread = threading.Thread(target=write)
        thread.start()
        while len(kept) < 20 and thread.is_alive():
            stop.wait(0.01)
        self.server.kill()
        stop.set()
        thread.join()
        self.server.start()
        with self.view.read() as tx:
            found = self.view.servers.holdings(tx, kept)
        self.assertEqual(set(kept), set(found))
        self.assertGreaterEqual(len(kept), 20)

    def test_read_only(self):
        """Reads go on; a write is refused with nothing done, and is taken later."""
        ordinary = self.opened(self.ordinary(self.name))
        self.add(2, ordinary)
        self.read_only(True, ordinary)
        try:
            self.assertEqual(2, self.count(ordinary))
            with ordinary.read() as tx:
                ordinary.quota.usage(tx, "p", "u")
                ordinary.flavors.catalogue(tx)
                self.assertEqual([], ordinary.cells.all(tx))
            problem = self.assertRaises(refusals.Refusing, self.add, 3, ordinary)
            self.assertIsInstance(problem, engine.UNAVAILABLE)
        finally:
            self.read_only(False, ordinary)
        self.add(3, ordinary)
        self.assertEqual(3, self.count(ordinary))

    def test_a_frozen_server_holds_nobody_for_ever(self):
        self.count()
        frozen = self.processes()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            self.assertRaises(engine.UNAVAILABLE, self.count)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        self.assertEqual(1, self.count())

    def test_a_statement_that_takes_too_long_is_ended(self):
        with testtools.ExpectedException(refusals.Refusing), self.view.read() as tx:
            tx.exec_driver_sql(self.SLEEP)
        self.assertEqual(1, self.count())

    def test_no_free_connection(self):
        small = self.opened(self.server.url(self.name), max_pool_size=1, max_overflow=0,
                            pool_timeout=1)
        with small.read():
            problem = self.assertRaises(sa.exc.TimeoutError, self.count, small)
        self.assertIsInstance(problem, engine.UNAVAILABLE)
        self.assertEqual(1, self.count(small))

    def test_a_real_deadlock_is_decided_again(self):
        """Two who lock two rows crosswise: both succeed, one of them later."""
        self.add(2)
        meet = threading.Barrier(2)
        tries: list[int] = []

        def both(first, second):
            tries.append(first)
            with self.view.write() as tx:
                self.view.servers.own(tx, server(first, name="x"), 2.0, expected=1)
                if len(tries) <= 2:
                    meet.wait(30)
                self.view.servers.own(tx, server(second, name="x"), 2.0, expected=1)
        threads = [threading.Thread(target=again.decide, args=(both, *pair))
                   for pair in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn(len(tries), range(3, 3 + again.TRIES))
        with self.view.read() as tx:
            self.assertEqual(["x", "x"], [self.view.servers.row(tx, server(number).uuid).name
                                          for number in (1, 2)])

    def test_a_lock_that_is_not_given_is_a_deadlock(self):
        with self.view.write() as tx:
            self.view.servers.own(tx, server(1, name="x"), 2.0, expected=1)

            def other():
                with self.view.write() as tx:
                    self.view.servers.own(tx, server(1, name="y"), 2.0, expected=1)
            self.assertRaises(db_exc.DBDeadlock, other)

    def test_a_worker_that_was_forked_leaves_its_parents_connection_alone(self):
        with self.view.write() as tx:
            self.view.servers.own(tx, server(1, name="parent"), 2.0, expected=1)
            child = os.fork()
            if child == 0:
                try:
                    os._exit(0 if self.count() == 1 else 1)
                except BaseException:
                    os._exit(2)
            self.assertEqual(0, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            self.view.servers.own(tx, server(1, name="parent again"), 2.0, expected=1)
        with self.view.read() as tx:
            self.assertEqual("parent again", self.view.servers.row(tx, server(1).uuid).name)


class MariaDB(Trouble, testtools.TestCase):
    make = mariadb.MariaDB
    SLEEP = "SELECT SLEEP(60)"

    def ordinary(self, name):
        """For whom read-only holds; it does not for the administrator."""
        self.server.execute("CREATE USER IF NOT EXISTS nova@'127.0.0.1'",
                            f"GRANT ALL ON `{name}`.* TO nova@'127.0.0.1'")
        return self.server.url(name).replace("root@", "nova@")

    def read_only(self, really, _view):
        self.server.execute(f"SET GLOBAL read_only = {int(really)}")

    def processes(self):
        return [self.server.pid]

    def test_values_are_in_no_error(self):
        """PostgreSQL quotes the statement itself in its second line; we log the first."""
        for statement in ("INSERT INTO nowhere VALUES (%(secret)s)",
                          "SELECT %(secret)s FROM nowhere"):
            try:
                with self.view.write() as tx:
                    tx.exec_driver_sql(statement, {"secret": "swordfish"})
            except Exception as problem:
                self.assertNotIn("swordfish", str(problem))
            else:
                self.fail("no error at all")

    def test_what_else_it_says(self):
        """Galera's failures cannot be had without Galera: by number, as it sends them."""
        for number, kind in ((1213, db_exc.DBDeadlock), (1205, db_exc.DBDeadlock),
                             (1047, db_exc.DBDeadlock), (1290, refusals.Refusing),
                             (1040, refusals.Refusing), (1021, refusals.Refusing),
                             (2013, db_exc.DBConnectionError)):
            self.assertRaises(kind, self.told, number)
        self.assertEqual(1, self.count())

    def test_what_it_says_of_a_commit(self):
        """Taken back, or nobody knows: then it is not decided again."""
        for number, kind in ((1213, db_exc.DBDeadlock), (1047, db_exc.DBConnectionError),
                             (2013, db_exc.DBConnectionError)):
            self.assertRaises(kind, self.told, number, "SELECT 3")
        self.assertEqual(1, self.count())

    def told(self, number, fine=None):
        """A statement that the server answers with this number; or the commit after one."""
        def failing(*_args, **_kwargs):
            raise pymysql.err.OperationalError(number, "as the server says it")
        with self.view.write() as tx:
            connection = tx.connection.driver_connection
            if fine:
                tx.exec_driver_sql(fine)
                connection.commit = failing
            else:
                with mock.patch.object(connection, "query", failing):
                    tx.exec_driver_sql("SELECT 2")


class PostgreSQL(Trouble, testtools.TestCase):
    make = postgresql.PostgreSQL
    SLEEP = "SELECT pg_sleep(60)"

    def ordinary(self, name):
        return self.server.url(name)

    def read_only(self, really, view):
        """True of the view's own connection when this returns: each hears of it when it can."""
        word = "on" if really else "off"
        self.server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}",
                            "SELECT pg_reload_conf()")
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            with view.read() as tx:
                if tx.exec_driver_sql("SHOW default_transaction_read_only").scalar() == word:
                    return
            time.sleep(0.05)
        self.fail(f"PostgreSQL did not become read-only: {word}")

    def processes(self):
        children = pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
        return [self.server.pid, *map(int, children.read_text().split())]

    def test_a_database_with_another_order_is_refused(self):
        self.server.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' "
                            "LOCALE 'C'")
        problem = self.assertRaises(engine.Unusable, migrations.upgrade, "view",
                                    self.server.url("latin"))
        self.assertIn("CREATE DATABASE latin TEMPLATE template0", str(problem))
        self.assertIsInstance(problem, errors.Problem)
