# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The collector on the buses of all cells: one listener for each, as the table of cells says.

The sender of a message is the cell whose bus it came on, whatever a payload says.
"""

import functools
import logging
import threading
import time

from nova_cells import service
from nova_cells.cmd import cellbus, fleet
from nova_cells.collector import service as collectors
from nova_cells.conf import services as service_options
from nova_cells.domain import errors
from nova_cells.rpc import notifier, server, transport
from nova_cells.volume import loader as volumes

LOG = logging.getLogger(__name__)
PATIENCE = 3.0           # seconds that the cells' buses have to answer before we begin anyway


class Collecting:
    """Made, started, stopped; once each.  The fleet and its view are the caller's to close."""

    def __init__(self, conf, cells: fleet.Fleet, clock, ids) -> None:
        self._conf, self._fleet = conf, cells
        self._notifier = (notifier.Notifier(conf, conf.host) if notifier.wanted(conf)
                          else None)
        collector = collectors.Collector(
            cells.view, ids, service_options.fill(collectors.Settings, conf.collector),
            self._notifier.send if self._notifier else None, volumes.load(conf))
        self.runner = service.Runner("collector", collector, cells.client, clock,
                                     forward_budget=conf.rpc.forward_budget)
        self._listeners: dict[str, tuple[object, server.Listener]] = {}   # with its transport
        self._settling: set[str] = set()
        self._silent: set[str] = set()
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._watch = threading.Thread(target=self._watching, daemon=True, name="cells")

    def start(self) -> None:
        """Listen on every cell's bus; a bus that does not answer is tried again and again."""
        self.look(PATIENCE)
        self.runner.start()
        self._watch.start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        with self._lock:
            self._leaving.set()
            listeners, self._listeners = list(self._listeners.values()), {}
        ended = cellbus.stop_all([*(listener.stop for _bus, listener in listeners),
                                  self.runner.stop], patience)
        if self._notifier is not None:
            self._notifier.close()
        return ended

    def missing(self) -> list[str]:
        """The names of the cells that are not listened to."""
        return [row[2] for row in self._fleet.rows if row[0] not in self._listeners]

    def look(self, patience: float = 0.0) -> None:
        """Make the listeners agree with the table of cells.  Each cell is settled in a thread of
        its own, of which no more than ``patience`` is waited for: a bus that takes connections
        and says nothing keeps no other cell waiting (law T19)."""
        self._fleet.look()
        begun = []
        with self._lock:
            for cell in {*self._fleet.router.cells(), *self._listeners} - self._settling:
                if self._heard_on(cell) is not self._fleet.router.transport(cell):
                    self._settling.add(cell)
                    begun.append(threading.Thread(target=self._settle, args=(cell,), daemon=True,
                                                  name=f"cell {cell}"))
        for thread in begun:
            thread.start()
        end = time.monotonic() + patience
        for thread in begun:
            thread.join(max(0.0, end - time.monotonic()))

    def _heard_on(self, cell: str):
        return self._listeners[cell][0] if cell in self._listeners else None

    def _settle(self, cell: str) -> None:
        """A listener on an old transport is stopped before the new one begins, and what it has
        taken is finished."""
        try:
            with self._lock:
                _bus, old = self._listeners.pop(cell, (None, None))
            if old is not None:
                old.stop(1.0)
            self._listen(cell)
            self._silent.discard(cell)
        except errors.Problem as problem:
            if cell not in self._silent:     # it is tried again every few seconds
                self._silent.add(cell)
                LOG.warning("cell=%s: %s", cell, problem)
        except Exception:
            LOG.exception("cell=%s cannot be listened to", cell)
        finally:
            with self._lock:
                self._settling.discard(cell)

    def _listen(self, cell: str) -> None:
        bus = self._fleet.router.transport(cell)
        if bus is None:
            return
        transport.must_answer(self._conf, self._fleet.url(cell))
        listener = server.Listener(bus, cell, "collector", self._conf.host,
                                   functools.partial(self.runner.deliver, sender=cell),
                                   threads=self._conf.rpc.collector_threads)
        listener.start()
        with self._lock:
            leaving = self._leaving.is_set()
            if not leaving:
                self._listeners[cell] = (bus, listener)
        if leaving:
            listener.stop(1.0)

    def _watching(self) -> None:
        while not self._leaving.wait(fleet.LOOK_EVERY):
            try:
                self.look()
            except Exception:
                LOG.exception("the table of cells could not be read")
