# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The hub of one child cell, as a process (``nova-cells-conductor``)."""

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import cellbus, childstore
from nova_cells.conductor import proposing
from nova_cells.conductor import service as conductors
from nova_cells.conf import services as service_options


class Work:
    """One conductor on its cell's bus and database."""

    def __init__(self, conf) -> None:
        self._conf = conf
        self._store = None
        self._bus: cellbus.CellBus | None = None

    def open(self) -> None:
        """The database, the bus, the conductor."""
        conf = self._conf
        self._store, identity = childstore.open_store(conf)
        clock, ids = clocks.SystemClock(), clocks.RandomIds()
        self._bus = cellbus.CellBus(conf, clock, identity.uuid, identity.name,
                                    conf.cell.transport_url)
        self._bus.open()
        conductor = conductors.Conductor(
            self._store, identity, ids,
            service_options.conductor(conductors.Settings, conf), self._chooser(identity))
        self._bus.run(f"conductor {identity.name}", conductor, "conductor", conf.host)

    def _chooser(self, identity) -> proposing.Chooser | None:
        """Who proposes hosts; None: the conductor itself."""
        if self._conf.conductor.scheduler == "library":
            return None
        return proposing.Service(identity.uuid, self._bus.client.call)

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
    return conf.conductor.workers
