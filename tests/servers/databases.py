# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Databases for tests: on SQLite, MariaDB or PostgreSQL, whichever is asked for.

One server of a kind per process, started when it is first needed and ended with the process.  A
database is lent with empty tables and emptied for the next, for making tables takes longer than
most tests.
"""

import atexit
import os
import tempfile

import sqlalchemy as sa

from nova_cells.db import engine
from tests.servers import mariadb, postgresql, process

KINDS = ("sqlite", "mariadb", "postgresql")
VARIABLE = "NOVA_CELLS_TEST_DATABASE"
_CLASSES = {"mariadb": mariadb.MariaDB, "postgresql": postgresql.PostgreSQL}
_servers: dict[str, process.Server] = {}
_idle: dict[tuple[str, int], list[str]] = {}
_same: dict[tuple[str, int], str] = {}
_made = [0]


def kind() -> str:
    """The kind that the environment names; SQLite if it names none."""
    found = os.environ.get(VARIABLE) or "sqlite"
    if found not in KINDS:
        raise ValueError(f"{VARIABLE} is {found!r}: it is one of {', '.join(KINDS)}")
    return found


def server(kind: str) -> process.Server:
    """The running server of this kind.  ``Missing`` if it is not installed."""
    if kind not in _servers:
        starting = _CLASSES[kind]()
        atexit.register(starting.remove)
        _servers[kind] = starting.start()
    return _servers[kind]


def empty(kind: str) -> str:
    """The URL of a database of its own, without any table.  SQLite's is a file in a directory
    that is removed at the end of the process."""
    _made[0] += 1
    if kind == "sqlite":
        folder = tempfile.TemporaryDirectory(prefix="nova-cells-db-")
        atexit.register(folder.cleanup)
        return f"sqlite:///{folder.name}/db"
    return server(kind).url(f"test_{_made[0]}")


def lend(kind: str, metadata: sa.MetaData) -> str:
    """The URL of a database with these tables, all empty.  To be given back."""
    idle = _idle.setdefault((kind, id(metadata)), [])
    if idle:
        return idle.pop()
    url = empty(kind)
    _with(url, metadata.create_all)
    return url


def give_back(url: str, kind: str, metadata: sa.MetaData) -> None:
    """Empty the tables: the next test has them."""
    def clear(made: sa.Engine) -> None:
        with made.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    _with(url, clear)
    _idle[kind, id(metadata)].append(url)


def same(kind: str, metadata: sa.MetaData) -> str:
    """The URL of one database for the whole process, emptied each time it is asked for."""
    key = (kind, id(metadata))
    if key not in _same:
        _same[key] = lend(kind, metadata)
    else:
        give_back(_same[key], kind, metadata)
        _idle[key].remove(_same[key])
    return _same[key]


def _with(url: str, work) -> None:
    database = engine.Database(url)
    try:
        work(database.engine)
    finally:
        database.close()
