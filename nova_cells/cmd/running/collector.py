# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell's ear, as a process (``nova-cells-collector``)."""

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import collecting, fleet


class Work:
    """One collector on every cell's bus."""

    def __init__(self, conf) -> None:
        self._conf = conf
        self._fleet: fleet.Fleet | None = None
        self._collecting: collecting.Collecting | None = None

    def open(self) -> None:
        """The view, the cells, the collector."""
        self._fleet = fleet.Fleet(self._conf, fleet.open_view(self._conf))
        fleet.check_schema(self._conf)
        self._collecting = collecting.Collecting(
            self._conf, self._fleet, clocks.SystemClock(), clocks.RandomIds())
        self._collecting.start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        ended = self._collecting.stop(patience) if self._collecting is not None else True
        if self._fleet is not None:
            self._fleet.close()
            if ended:
                self._fleet.view.close()
        return ended

    def checks(self) -> list[metrics.Check]:
        """The view.  A cell that is not heard is the cell's trouble, and told in its figures."""
        return [metrics.answers(self._fleet.view.ping)]


def check(conf) -> None:
    """Whether a collector can work: the view must answer.  Cells are waited for."""
    fleet.open_view(conf).close()
    fleet.check_schema(conf)


def workers(conf) -> int:
    """How many processes."""
    return conf.collector.workers
