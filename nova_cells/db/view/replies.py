# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Replies that are given again to a request that says it is the same: by a name that hides whose
key it is, with a digest of what was asked.  The reply is sealed, for it may hold a password."""

import typing

import sqlalchemy as sa

from nova_cells.db.view import tables

t = tables.replies
_ONE = sa.select(t.c.digest, t.c.reply, t.c.until).where(t.c.name == sa.bindparam("of_name"))
_OLD = sa.delete(t).where(t.c.name == sa.bindparam("of_name"), t.c.until <= sa.bindparam("at"))
_ADD = sa.insert(t)
_PAST = sa.select(t.c.name).where(t.c.until <= sa.bindparam("at")).limit(500)
_DROP = sa.delete(t).where(t.c.name.in_(sa.bindparam("names", expanding=True)),
                           t.c.until <= sa.bindparam("at"))


class Kept(typing.NamedTuple):
    """What was asked under a key, and what was replied."""

    digest: str
    reply: bytes


class Replies:
    """The replies that are kept."""

    def find(self, tx: sa.Connection, name: str, now: float) -> Kept | None:
        """What is kept by this name, if its time is not over."""
        row = tx.execute(_ONE, {"of_name": name}).first()
        return Kept(row.digest, row.reply) if row is not None and row.until > now else None

    def keep(self, tx: sa.Connection, name: str, kept: Kept, until: float, now: float) -> None:
        """Keep one, with what it is the reply to, in one transaction.  ``DBDuplicateEntry`` if
        somebody was faster."""
        tx.execute(_OLD, {"of_name": name, "at": now})
        tx.execute(_ADD, {"name": name, "digest": kept.digest, "reply": kept.reply,
                          "until": until})

    def past(self, tx: sa.Connection, now: float) -> list[str]:
        """Names of some whose time is over."""
        return list(tx.execute(_PAST, {"at": now}).scalars())

    def forget(self, tx: sa.Connection, names: list[str], now: float) -> None:
        """Forget those of these whose time is over."""
        if names:
            tx.execute(_DROP, {"names": sorted(names), "at": now})
