# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-scheduler``: proposes hosts to the conductors of one child cell.

Any number of them may run side by side, or none: with [conductor] scheduler = service a conductor
asks them, and chooses itself while none answers.
"""

import typing

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import cellbus, childstore, daemon
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


PROGRAM = daemon.Program(
    name="nova-cells-scheduler",
    about="A scheduler of one child cell: keeps its hosts in memory and proposes some for each "
          "new server; the conductor commits.",
    make=Work, check=childstore.check, workers=lambda conf: conf.scheduler.workers)


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    daemon.main(PROGRAM, argv)


if __name__ == "__main__":
    main()
