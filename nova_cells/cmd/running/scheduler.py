# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A scheduler of one child cell, as a process (``nova-cells-scheduler``)."""

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import cellbus, childstore
from nova_cells.selector import service as selectors


class Work:
    """One scheduler on its cell's bus and database."""

    def __init__(self, conf) -> None:
        self._conf = conf
        self._store = None
        self._bus: cellbus.CellBus | None = None

    def open(self) -> None:
        """The database, the bus, the hosts in memory."""
        conf = self._conf
        self._store, identity = childstore.open_store(conf)
        self._bus = cellbus.CellBus(conf, clocks.SystemClock(), identity.uuid, identity.name,
                                    conf.cell.transport_url)
        self._bus.open()
        selector = selectors.Selector(self._store, identity, clocks.RandomIds())
        self._bus.run(f"scheduler {identity.name}", selector, "scheduler", conf.host)

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        ended = self._bus.stop(patience) if self._bus is not None else True
        if self._bus is not None:
            self._bus.close()
        if self._store is not None and ended:
            self._store.close()
        return ended

    def checks(self) -> list[metrics.Check]:
        """The database and the bus."""
        return [metrics.answers(self._store.ping), self._bus.check]


check = childstore.check


def workers(conf) -> int:
    """How many processes."""
    return conf.scheduler.workers
