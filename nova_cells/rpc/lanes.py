# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Casts to many cells leave in the background, each cell's in a lane of its own.

So nobody in the API cell, neither a user who creates a server nor a job of the collector, waits for
the bus of a cell that happens to be silent (law T19). Order is kept within a cell. A cast was never
a promise: what matters is saved before it is sent, and sent again until it is answered (law T1).
"""

import collections
import logging
import threading
import time

from oslo_context import context as oslo_context

from nova_cells import context
from nova_cells.domain import address as addresses
from nova_cells.domain import commands, errors

LOG = logging.getLogger(__name__)
MOST = 1000              # messages that may wait for one cell
IDLE = 60.0              # seconds after which a lane without traffic is given up


class _Lane:
    """What waits for one cell; all lanes share a lock, and each is woken by itself."""

    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)
        self.waiting: collections.deque = collections.deque()


class Lanes:
    """A client for whoever sends to many cells.  Thread-safe."""

    def __init__(self, client, most: int = MOST, idle: float = IDLE) -> None:  # noqa: ANN001
        self._client, self._most, self._idle = client, most, idle
        self.call, self.state = client.call, client.state
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}       # by cell, while there is traffic
        self._closed = False

    def cast(self, address: addresses.Address, message: commands.Message) -> None:
        """To be sent as soon as what goes to the same cell has left.  ``CellDown`` if too much of
        that waits already."""
        if isinstance(address, addresses.Owner):
            self._client.cast(address, message)
            return
        with self._lock:
            lane = self._lanes.get(address.cell)
            if self._closed or (lane is not None and len(lane.waiting) >= self._most):
                raise errors.CellDown(f"too many messages to the cell {address.cell} wait to be "
                                      "sent already; this one was not taken")
            if lane is None:
                lane = self._lanes[address.cell] = _Lane(self._lock)
                threading.Thread(target=self._run, args=(address.cell, lane), daemon=True,
                                 name=f"lane {address.cell}").start()
            lane.waiting.append((address, message, oslo_context.get_current()))
            lane.changed.notify_all()

    def close(self, patience: float) -> None:
        """Nothing more is taken; what waits has so long to leave."""
        end = time.monotonic() + patience
        with self._lock:
            self._closed = True
            lanes = list(self._lanes.values())
            for lane in lanes:
                lane.changed.notify_all()
            for lane in lanes:
                lane.changed.wait_for(lambda lane=lane: not lane.waiting,
                                      max(0.0, end - time.monotonic()))

    def _run(self, cell: str, lane: _Lane) -> None:
        """One lane.  A message leaves it when it was sent, so that ``close`` waits for that."""
        while True:
            with self._lock:
                lane.changed.wait_for(lambda: lane.waiting or self._closed, self._idle)
                if not lane.waiting:
                    del self._lanes[cell]
                    return
            self._send(*lane.waiting[0])
            with self._lock:
                lane.waiting.popleft()
                lane.changed.notify_all()

    def _send(self, address: addresses.Address, message: commands.Message,
              behalf: oslo_context.RequestContext | None) -> None:
        context.end(behalf)              # log lines are those of whoever asked for it
        try:
            self._client.cast(address, message)
        except errors.Problem as problem:
            LOG.warning("%s was not sent to %s: %s", type(message).__name__, address, problem)
        except Exception:
            LOG.exception("%s was not sent to %s", type(message).__name__, address)
        finally:
            context.end()
