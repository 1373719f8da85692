"""Engines and transactions: the one way to reach a database.

A write transaction begins with BEGIN IMMEDIATE on SQLite, for a deferred one that reads and
then writes fails at once with "database is locked", whatever the timeout.  SQLite lets waiting
writers sleep and ask again, for up to 100 ms a time, so the writers of one process queue on a
lock of ours instead.  Elsewhere every transaction is READ COMMITTED (``sessions``).  No
transaction is open across an RPC or HTTP call.  Errors come as oslo.db's (``DBDuplicateEntry``
and so on) and as ours (``refusals``); whoever decides in a transaction decides again when it is
taken back (``again``).
"""

import collections.abc
import contextlib
import os
import threading
import typing
import weakref

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy import pool

from nova_cells.db import refusals, sessions
from nova_cells.domain import errors

BUSY_MS = 30_000                 # how long a writer waits for another on SQLite
UNAVAILABLE = refusals.UNAVAILABLE


class Unusable(errors.Problem):
    """The database cannot be reached or opened: one sentence with the mend."""


def connect(url: str, max_pool_size: int = 10, max_overflow: int = 40, pool_timeout: int = 30,
            connect_timeout: int = sessions.CONNECT_TIMEOUT,
            statement_timeout: int = sessions.STATEMENT_TIMEOUT,
            mysql_wsrep_sync_wait: int | None = None) -> sa.Engine:
    """An engine for this URL.  Everything but the URL is for servers; SQLite has none."""
    if url.startswith("sqlite"):
        return _sqlite(url)
    engine = sa.create_engine(
        sessions.url_of(url, connect_timeout, statement_timeout), pool_pre_ping=True,
        pool_recycle=3600, pool_size=max_pool_size, max_overflow=max_overflow,
        pool_timeout=pool_timeout, hide_parameters=True)     # values may be secrets
    refusals.listen(engine)
    sessions.listen(engine, statement_timeout, mysql_wsrep_sync_wait)
    return engine


def _sqlite(url: str) -> sa.Engine:
    memory = sa.make_url(url).database in (None, "", ":memory:")
    options: dict[str, typing.Any] = {
        "hide_parameters": True,                 # values may be secrets
        "connect_args": {"check_same_thread": False, "timeout": BUSY_MS / 1000}}
    if memory:
        options["poolclass"] = pool.StaticPool
    else:
        options.update(pool_size=10, max_overflow=40)
    engine = sa.create_engine(url, **options)
    refusals.listen(engine)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection, _record) -> None:  # noqa: ANN001
        connection.isolation_level = None        # we say BEGIN ourselves, below
        connection.execute("PRAGMA foreign_keys = ON")
        if not memory:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("write", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:                            # takes no lock yet, so it need not be watched
            connection.connection.driver_connection.execute("BEGIN")

    return engine


class Database:
    """One database: ``read()`` and ``write()`` give a connection inside a transaction."""

    def __init__(self, url: str, **pool_options: typing.Any) -> None:
        self.url = url
        try:
            self.engine = connect(url, **pool_options)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise Unusable(f"the database URL is not usable: {error}") from None
        self._writing = self.engine.execution_options(write=True)
        self._turn = threading.RLock() if url.startswith("sqlite") else None
        _opened.add(self)

    @contextlib.contextmanager
    def read(self) -> collections.abc.Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> collections.abc.Iterator[sa.Connection]:
        """A transaction that may write.  All of it happens, or nothing."""
        with self._my_turn(), self._writing.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _my_turn(self) -> collections.abc.Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_MS / 1000):
            raise db_exc.DBDeadlock()
        try:
            yield
        finally:
            self._turn.release()

    def ping(self) -> None:
        """Raise ``Unusable`` with one sentence when the database does not answer."""
        try:
            with self.engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except (db_exc.DBError, sa.exc.SQLAlchemyError) as error:
            name = self.engine.url.render_as_string(hide_password=True)
            reason = str(getattr(error, "inner_exception", None) or error).splitlines()[0]
            raise Unusable(f"cannot use the database {name}: {reason}; check that it runs and "
                           f"that the connection option names it") from None

    def in_use(self) -> int:
        """Connections that somebody holds now."""
        count = getattr(self.engine.pool, "checkedout", None)
        return count() if count is not None else 0

    def close(self) -> None:
        """Let every connection go."""
        self.engine.dispose()


_opened: weakref.WeakSet[Database] = weakref.WeakSet()


def _forked() -> None:
    """A worker has its parent's sockets: it lets go of them without a word to the server, for
    what it said there would be said in the parent's name."""
    for database in _opened:
        if not isinstance(database.engine.pool, pool.StaticPool):    # that one is the database
            database.engine.dispose(close=False)


os.register_at_fork(after_in_child=_forked)


def swapped(result: sa.CursorResult) -> bool:
    """Whether a conditional statement found its row: the compare-and-swap won."""
    return result.rowcount == 1
