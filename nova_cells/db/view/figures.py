# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the view says of itself in numbers, for whoever watches the deployment.

Each function is one statement over a small table.  Reads only.
"""

import typing

import sqlalchemy as sa

from nova_cells.db.view import tables

_offers, _intents, _cells = tables.offers, tables.intents, tables.cells
_OFFERS = sa.select(_offers.c.cell, sa.func.count(), sa.func.min(_offers.c.created_at)).group_by(
    _offers.c.cell)
_INTENTS = sa.select(_intents.c.cell, sa.func.count()).group_by(_intents.c.cell)
_RESERVATIONS = sa.select(sa.func.count()).select_from(tables.reservations)
_CELLS = sa.select(_cells.c.uuid, _cells.c.name, _cells.c.up, _cells.c.halted)


class Cell(typing.NamedTuple):
    """A cell, as far as figures name it; ``well``: heard lately, and its records are taken."""

    uuid: str
    name: str
    well: bool


def cells(tx: sa.Connection) -> list[Cell]:
    """All of them."""
    return [Cell(uuid, name, bool(up) and halted is None)
            for uuid, name, up, halted in tx.execute(_CELLS)]


def offers(tx: sa.Connection) -> dict[str, tuple[int, float]]:
    """Cell -> how many it has not answered, and when the oldest was made."""
    return {cell: (count, oldest) for cell, count, oldest in tx.execute(_OFFERS)}


def intents(tx: sa.Connection) -> dict[str, int]:
    """Cell -> how many orders are kept for it."""
    return {row[0]: row[1] for row in tx.execute(_INTENTS)}


def reservations(tx: sa.Connection) -> int:
    """How many operations hold quota."""
    return tx.execute(_RESERVATIONS).scalar_one()
