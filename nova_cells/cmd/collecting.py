# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The collector on the buses of all cells: one listener for each, as the table of cells says.

The sender of a message is the cell whose bus it came on, whatever a payload says.
"""

import functools
import logging
import threading

from nova_cells import service
from nova_cells.cmd import cellbus, fleet
from nova_cells.collector import service as collectors
from nova_cells.conf import services as service_options
from nova_cells.domain import errors
from nova_cells.rpc import server, transport

LOG = logging.getLogger(__name__)


class Collecting:
    """Made, started, stopped; once each.  The fleet and its view are the caller's to close."""

    def __init__(self, conf, cells: fleet.Fleet, clock, ids) -> None:
        self._conf, self._fleet = conf, cells
        collector = collectors.Collector(
            cells.view, ids, service_options.fill(collectors.Settings, conf.collector))
        self.runner = service.Runner("collector", collector, cells.client, clock,
                                     forward_budget=conf.rpc.forward_budget)
        self._listeners: dict[str, server.Listener] = {}
        self._silent: set[str] = set()
        self._leaving = threading.Event()
        self._watch = threading.Thread(target=self._watching, daemon=True, name="cells")

    def start(self) -> None:
        """Listen on every cell's bus; a bus that does not answer is tried again and again."""
        self.look()
        self.runner.start()
        self._watch.start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        self._leaving.set()
        listeners, self._listeners = list(self._listeners.values()), {}
        return cellbus.stop_all([*(listener.stop for listener in listeners), self.runner.stop],
                                patience)

    def missing(self) -> list[str]:
        """The names of the cells that are not listened to."""
        return [row[2] for row in self._fleet.rows if row[0] not in self._listeners]

    def look(self) -> None:
        """Make the listeners agree with the table of cells.  A listener on an old transport is
        stopped before the new one begins, and what it has taken is finished."""
        fresh = self._fleet.look()
        reachable = set(self._fleet.router.cells())
        for cell in [cell for cell in self._listeners if cell not in reachable or cell in fresh]:
            self._listeners.pop(cell).stop(1.0)
        for cell in reachable - self._listeners.keys():
            self._listen(cell)

    def _listen(self, cell: str) -> None:
        listener = server.Listener(
            self._fleet.router.transport(cell), cell, "collector", self._conf.host,
            functools.partial(self.runner.deliver, sender=cell),
            threads=self._conf.rpc.collector_threads)
        try:
            transport.must_answer(self._conf, self._fleet.url(cell))
            listener.start()
            self._listeners[cell] = listener
            self._silent.discard(cell)
        except errors.Problem as problem:
            if cell not in self._silent:     # it is tried again every few seconds
                self._silent.add(cell)
                LOG.warning("cell=%s: %s", cell, problem)

    def _watching(self) -> None:
        while not self._leaving.wait(fleet.LOOK_EVERY):
            try:
                self.look()
            except Exception:
                LOG.exception("the table of cells could not be read")
