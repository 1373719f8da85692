# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell's database says of itself in numbers, for whoever watches the cell.

Each function is one statement that an index answers.  Reads only.
"""

import collections.abc
import typing

import sqlalchemy as sa

from nova_cells.db.cell import tables

_outbox, _servers, _hosts = tables.outbox, tables.servers, tables.hosts
_OUTBOX = sa.select(sa.func.count(), sa.func.min(_outbox.c.marked_at)).select_from(_outbox)
_OPEN = sa.select(_servers.c.verb, sa.func.count()).where(
    _servers.c.verb != "", _servers.c.confirmed).group_by(_servers.c.verb)
_HOSTS = sa.select(_hosts.c.up, sa.func.count()).group_by(_hosts.c.up)


class Waiting(typing.NamedTuple):
    """How many wait, and since when the first does (None: there is none)."""

    count: int
    since: float | None


def outbox(tx: sa.Connection) -> Waiting:
    """What must still go up."""
    return Waiting(*tx.execute(_OUTBOX).one())


def operations(tx: sa.Connection) -> dict[str, int]:
    """Verb -> how many are under way."""
    return {row[0]: row[1] for row in tx.execute(_OPEN)}


def late(tx: sa.Connection,
         begun_before: collections.abc.Mapping[str, float]) -> dict[str, int]:
    """Verb -> how many of those under way began before the verb's moment."""
    if not begun_before:
        return {}
    late_ones = sa.or_(*(sa.and_(_servers.c.verb == verb, _servers.c.began_at < moment)
                         for verb, moment in begun_before.items()))
    return {row[0]: row[1] for row in tx.execute(_OPEN.where(late_ones))}


def hosts(tx: sa.Connection) -> dict[bool, int]:
    """Up or not -> how many."""
    return {bool(up): count for up, count in tx.execute(_HOSTS)}
