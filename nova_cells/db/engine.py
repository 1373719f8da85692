"""Engines and transactions: the one way to reach a database.

A write transaction begins with BEGIN IMMEDIATE on SQLite, for a deferred one that reads and
then writes fails at once with "database is locked", whatever the timeout.  SQLite lets waiting
writers sleep and ask again, for up to 100 ms a time, so the writers of one process queue on a
lock of ours instead.  No transaction is open across an RPC or HTTP call.  Errors come as
oslo.db's (``DBDuplicateEntry`` and so on).
"""

import collections.abc
import contextlib
import threading
import typing

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy import pool

from nova_cells.domain import errors

BUSY_MS = 30_000                 # how long a writer waits for another on SQLite
RETRIES = 5                      # deadlocks and certification failures, other databases

#: What a database that does not answer, or is too busy to, raises: worth another try later.
UNAVAILABLE = (db_exc.DBConnectionError, db_exc.DBDeadlock, sa.exc.TimeoutError)


class Unusable(errors.Problem):
    """The database cannot be reached or opened: one sentence with the mend."""


def connect(url: str, **pool_options: typing.Any) -> sa.Engine:
    """An engine for this URL.  ``pool_options`` are oslo.db's (max_pool_size, ...)."""
    if url.startswith("sqlite"):
        return _sqlite(url)
    return engines.create_engine(url, connection_recycle_time=3600, max_retries=0,
                                 **pool_options)


def _sqlite(url: str) -> sa.Engine:
    memory = sa.make_url(url).database in (None, "", ":memory:")
    options: dict[str, typing.Any] = {"connect_args": {"check_same_thread": False,
                                                       "timeout": BUSY_MS / 1000}}
    if memory:
        options["poolclass"] = pool.StaticPool
    else:
        options.update(pool_size=10, max_overflow=40)
    engine = sa.create_engine(url, **options)
    exc_filters.register_engine(engine)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection, _record) -> None:  # noqa: ANN001
        connection.isolation_level = None        # we say BEGIN ourselves, below
        connection.execute("PRAGMA foreign_keys = ON")
        if not memory:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


class Database:
    """One database: ``read()`` and ``write()`` give a connection inside a transaction."""

    def __init__(self, url: str, **pool_options: typing.Any) -> None:
        self.url = url
        try:
            self.engine = connect(url, **pool_options)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise Unusable(f"the database URL is not usable: {error}") from None
        self._reading = self.engine.execution_options(write=False)
        self._writing = self.engine.execution_options(write=True)
        self._turn = threading.RLock() if url.startswith("sqlite") else None

    @contextlib.contextmanager
    def read(self) -> collections.abc.Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self._reading.begin() as connection:
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


def swapped(result: sa.CursorResult) -> bool:
    """Whether a conditional statement found its row: the compare-and-swap won."""
    return result.rowcount == 1
