# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The deployment in numbers, as the view knows it, read when somebody asks (see ``metrics``).

Several collectors read the same view and say the same.
"""

import collections.abc

from nova_cells.db.view import figures
from nova_cells.metrics import instruments

SHAPES = 200             # of one cell; who has more flavors sees the first


def read(collector, now: float) -> collections.abc.Iterator[instruments.Sample]:  # noqa: ANN001
    """Offers, intents, reservations, cells, slots, and the pool."""
    view = collector.view
    with view.read() as tx:
        cells, offers = figures.cells(tx), figures.offers(tx)
        intents, reservations = figures.intents(tx), figures.reservations(tx)
        slots = view.records.slots(tx)
    for cell in cells:
        count, oldest = offers.get(cell.uuid, (0, now))
        yield instruments.OFFERS, (cell.name,), count
        yield instruments.OFFERS_AGE, (cell.name,), max(0.0, now - oldest)
        yield instruments.INTENTS, (cell.name,), intents.get(cell.uuid, 0)
        yield instruments.CELLS_UP, (cell.name,), float(cell.well)
        known = slots[cell.uuid].slots if cell.uuid in slots else {}
        for shape in sorted(known)[:SHAPES]:
            yield instruments.SLOTS, (cell.name, shape), known[shape]
    yield instruments.RESERVATIONS, (), reservations
    yield instruments.POOL, ("view",), view.in_use()
