# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Connections to servers: what is said on each before it is used, and how long one waits.

READ COMMITTED on both, by our own word (decision 0017): statements that decide are conditional
and see what was committed before them, and InnoDB takes no locks on gaps.  No wait is endless:
a statement is ended by the server, and a server that says nothing at all by us.
"""

import select
import time
import typing

import sqlalchemy as sa

CONNECT_TIMEOUT = 10             # seconds
STATEMENT_TIMEOUT = 30           # seconds
GRACE = 5                        # how much longer than the server we wait for the server
_LEVEL = "TRANSACTION ISOLATION LEVEL READ COMMITTED"


def url_of(text: str, connect_timeout: int, statement_timeout: int) -> sa.URL:
    """The URL with the driver's own timeouts and alphabet, unless it has them already."""
    url = sa.make_url(text)
    ours: dict[str, str] = {"connect_timeout": str(connect_timeout)}
    if url.get_backend_name() == "mysql":
        patience = str(statement_timeout + GRACE)
        ours |= {"charset": "utf8mb4", "read_timeout": patience, "write_timeout": patience}
    return url.update_query_dict({key: value for key, value in ours.items()
                                  if key not in url.query})


def listen(engine: sa.Engine, statement_timeout: int, wsrep_sync_wait: int | None) -> None:
    """Say on every new connection how it is meant."""
    lock_timeout = max(1, statement_timeout // 3)
    if engine.dialect.name == "postgresql":
        _listen_postgresql(engine, [
            f"SET SESSION CHARACTERISTICS AS {_LEVEL}",
            f"SET statement_timeout = '{statement_timeout}s'",
            f"SET lock_timeout = '{lock_timeout}s'",
            f"SET idle_in_transaction_session_timeout = '{2 * statement_timeout}s'"],
            statement_timeout + GRACE)
        return
    words = [f"SET SESSION {_LEVEL}", "SET SESSION sql_mode = 'TRADITIONAL'",
             f"SET SESSION innodb_lock_wait_timeout = {lock_timeout}"]
    if wsrep_sync_wait is not None:
        words.append(f"SET SESSION wsrep_sync_wait = {wsrep_sync_wait}")

    @sa.event.listens_for(engine, "connect")
    def _connected(connection, _record) -> None:  # noqa: ANN001
        cursor = connection.cursor()
        for word in words:
            cursor.execute(word)
        if "mariadb" in (connection.get_server_info() or "").lower():
            cursor.execute(f"SET SESSION max_statement_time = {statement_timeout}")
        cursor.close()


def _listen_postgresql(engine: sa.Engine, words: list[str], patience: float) -> None:
    from psycopg2 import extensions

    extensions.set_wait_callback(_Patient(patience))

    @sa.event.listens_for(engine, "connect")
    def _connected(connection, _record) -> None:  # noqa: ANN001
        cursor = connection.cursor()
        for word in words:
            cursor.execute(word)
        cursor.close()
        connection.commit()


class _Patient:
    """How psycopg2 waits for its socket.  libpq itself waits for ever for a server that is
    stopped or unplugged in the middle; and its wait is no other green thread's turn."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, connection: typing.Any) -> None:
        from psycopg2 import OperationalError, extensions

        until = time.monotonic() + self._seconds
        while True:
            state = connection.poll()
            if state == extensions.POLL_OK:
                return
            left = until - time.monotonic()
            if left <= 0 or not _ready(connection, state == extensions.POLL_READ, left):
                raise OperationalError(              # psycopg2 closes the connection then
                    "connection to server lost: it did not answer within "
                    f"{self._seconds:g} s")


def _ready(connection: typing.Any, reading: bool, seconds: float) -> bool:
    """Whether the socket became ready in time.  eventlet has no poll, and needs none."""
    if not hasattr(select, "poll"):
        mine = [connection.fileno()]
        return any(select.select(mine if reading else [], [] if reading else mine, [], seconds))
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN if reading else select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
