# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rows of the view with every column filled in, for tests that care about two of them."""

import sqlalchemy as sa

from nova_cells.db.view import tables

EMPTY = {sa.String: "", sa.Text: "", sa.Boolean: False, sa.Integer: 0, sa.BigInteger: 0,
         sa.Double: 0.0, sa.LargeBinary: b""}


def server(**values) -> dict:
    """A row of ``servers``: empty but for what is given."""
    return filled(tables.servers, **values)


def filled(table: sa.Table, **values) -> dict:
    """A row of a table in which what is not given is empty, and null where it may be."""
    row = {}
    for column in table.columns:
        if column.name in values:
            row[column.name] = values[column.name]
        elif not column.nullable and column.autoincrement is not True:
            row[column.name] = EMPTY[type(column.type)]
    return row
