# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What databases say when they do not do what they were told, in three families.

* ``DBDeadlock``: the whole transaction was taken back for another's sake; it may be repeated;
* ``DBConnectionError``: the connection is gone; whether the last commit was carried out is not
  known;
* ``Refusing``: the database is there and does not do it now: read-only, full, too many
  connections, a statement that took too long.

oslo.db knows most of the first two and none of the third.  Never looks at the text of a statement.
"""

import re
import typing

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_db.sqlalchemy import exc_filters


class Refusing(db_exc.DBError):
    """The database does not do it now; nothing was written."""


#: What it is worth to try again later.
UNAVAILABLE = (db_exc.DBConnectionError, db_exc.DBDeadlock, sa.exc.TimeoutError, Refusing)

# Numbers of MariaDB and MySQL.
_TAKEN_BACK = {1205, 1213, 1614, 3101}
_NOT_PREPARED = 1047             # a Galera node that is not synced: no statement is carried out
_REFUSED = {
    1021,                        # disk full
    1040, 1203, 1226,            # too many connections
    1053,                        # shutdown in progress
    1114,                        # table full
    1290, 1792, 1836,            # read-only
    1317, 1969, 3024,            # interrupted; took too long
}
# SQLSTATEs of PostgreSQL; a class has two characters.
_STATES_TAKEN_BACK = {"40001", "40P01", "55P03"}
_STATES_REFUSED = ("25006", "53", "57014")
_STATES_LOST = ("08", "57P")

_SQLITE_BUSY = re.compile(r"database (table )?is locked")
_SQLITE_REFUSED = re.compile(r"disk is full|readonly database|disk I/O error")


def listen(engine: sa.Engine) -> None:
    """Ours first, then oslo.db's for all that we do not know: the first that raises wins."""
    sa.event.listen(engine, "handle_error", _translate)
    exc_filters.register_engine(engine)


def _translate(context: sa.ExceptionContext) -> None:
    if context.is_pre_ping or isinstance(context.original_exception, db_exc.DBError):
        return
    known = _KINDS.get(context.dialect.name, lambda _context, _error: None)(
        context, context.original_exception)
    if known is not None:
        raise known(context.sqlalchemy_exception or context.original_exception)


def _mysql(context: sa.ExceptionContext, error: BaseException) -> type[db_exc.DBError] | None:
    number = error.args[0] if error.args else None
    if number in _TAKEN_BACK:
        return db_exc.DBDeadlock
    if number == _NOT_PREPARED:
        context.is_disconnect = True             # the next connection may reach another node
        # A commit has no statement: the others may have it, though this node cannot tell.
        return db_exc.DBConnectionError if context.statement is None else db_exc.DBDeadlock
    return Refusing if number in _REFUSED else None


def _postgresql(context: sa.ExceptionContext,
                error: BaseException) -> type[db_exc.DBError] | None:
    state = getattr(error, "pgcode", None) or ""
    if state in _STATES_TAKEN_BACK:
        return db_exc.DBDeadlock
    if state.startswith(_STATES_REFUSED):
        return Refusing
    connecting = context.connection is None and isinstance(context.sqlalchemy_exception,
                                                           sa.exc.OperationalError)
    if state.startswith(_STATES_LOST) or (connecting and not state):
        context.is_disconnect = True
        return db_exc.DBConnectionError
    return None


def _sqlite(_context: sa.ExceptionContext, error: BaseException) -> type[db_exc.DBError] | None:
    if _SQLITE_BUSY.search(str(error)):
        return db_exc.DBDeadlock
    return Refusing if _SQLITE_REFUSED.search(str(error)) else None


_KINDS: dict[str, typing.Callable] = {
    "mysql": _mysql, "mariadb": _mysql, "postgresql": _postgresql, "sqlite": _sqlite}
