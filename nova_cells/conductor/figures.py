# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A cell in numbers, read when somebody asks (see ``metrics``)."""

import collections.abc

from nova_cells.db.cell import figures
from nova_cells.domain import lifecycle
from nova_cells.metrics import instruments


def read(conductor, now: float) -> collections.abc.Iterator[instruments.Sample]:  # noqa: ANN001
    """Outbox, operations, hosts, and the pool."""
    store, cell, settings = conductor.store, conductor.name, conductor.settings
    slack = 2 * settings.ask_again       # as long as the watchdog may take to see it
    limits = {name: now - verb.limit * settings.limit_factor - slack
              for name, verb in lifecycle.VERBS.items()}
    with store.read() as tx:
        outbox, open_verbs = figures.outbox(tx), figures.operations(tx)
        late = figures.late(tx, {verb: limits[verb] for verb in open_verbs if verb in limits})
        hosts = figures.hosts(tx)
    yield instruments.OUTBOX, (cell,), outbox.count
    yield (instruments.OUTBOX_AGE, (cell,),
           0.0 if outbox.since is None else max(0.0, now - outbox.since))
    for verb, count in open_verbs.items():
        yield instruments.OPERATIONS, (cell, verb), count
    yield instruments.LATE, (cell,), sum(late.values())
    for state, up in (("up", True), ("down", False)):
        yield instruments.HOSTS, (cell, state), hosts.get(up, 0)
    yield instruments.POOL, (f"cell {cell}",), store.in_use()
