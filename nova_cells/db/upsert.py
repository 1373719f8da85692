# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Insert, or change what is there, in one statement of each database's own.

For rows that many want to make at once.  An update that finds nothing and an insert after it
deadlock on InnoDB: everybody whose insert was refused shares a lock on the winner's row, and then
each wants it alone.
"""

import typing

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

_INSERTS: dict[str, typing.Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def put(tx: sa.Connection, table: sa.Table, row: dict[str, typing.Any],
        change: dict[str, typing.Any]) -> None:
    """Insert the row; where its primary key is taken, make this change instead."""
    if tx.dialect.name in ("mysql", "mariadb"):
        tx.execute(mysql.insert(table).values(**row).on_duplicate_key_update(**change))
        return
    tx.execute(_INSERTS[tx.dialect.name](table).values(**row).on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=change))
