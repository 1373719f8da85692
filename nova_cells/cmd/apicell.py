# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell inside the stand-alone process: the view, the collector, the way to the cells.

The table of cells is read again every few seconds, so that a cell that was created, changed or
deleted with nova-cells-manage is so here too, without a restart.
"""

import functools
import logging
import threading

from nova_cells import seal, service
from nova_cells.cmd import childcell
from nova_cells.collector import service as collectors
from nova_cells.conf import database as database_options
from nova_cells.conf import services as service_options
from nova_cells.conf import standalone as options
from nova_cells.db import migrations, view
from nova_cells.domain import errors
from nova_cells.rpc import client, router, server, transport

LOG = logging.getLogger(__name__)

CELLS_EVERY = 2.0        # seconds between looks at the table of cells


def open_view(conf) -> view.View:
    """The view database, which must answer; ``Unusable`` with a sentence otherwise."""
    url = options.view_url(conf)
    opened = view.View(
        url, seal=seal.Seal.at(options.secrets_key(conf)),
        quota_defaults=dict(conf.quota.items()),
        **database_options.pool_options(conf.view_database, url))
    opened.ping()
    return opened


class ApiCell:
    """Made, then opened (database, cells), then started; stopped once."""

    def __init__(self, conf, clock, ids) -> None:
        self._conf, self._clock, self._ids = conf, clock, ids
        self.view: view.View | None = None
        self.router: router.Router | None = None
        self.runner: service.Runner | None = None
        self._listeners: dict[str, server.Listener] = {}
        self._silent: set[str] = set()
        self._known: list[tuple[str, ...]] = []
        self._leaving = threading.Event()
        self._watch = threading.Thread(target=self._watching, daemon=True, name="cells")

    def open(self) -> None:
        """The database at its newest schema, and the way to every cell in it."""
        self.view = open_view(self._conf)
        migrations.upgrade("view", options.view_url(self._conf))
        self.router = router.Router(
            locate=self.view.locate,
            open_transport=functools.partial(transport.open_transport, self._conf))
        self.client = client.Client(self.router, self._conf)

    def register(self, name: str, uuid: str, url: str) -> None:
        """A cell that runs in this process is in the table of cells, as it is now."""
        now = self._clock.time()
        with self.view.write() as tx:
            rows = self.view.cells.all(tx)
            by_name = next((row for row in rows if row.name == name), None)
            row = next((row for row in rows if row.uuid == uuid), None)
            if by_name is not None and by_name.uuid != uuid:
                raise errors.Conflict(
                    f"the database of the cell {name} is not the one that the API cell knows "
                    f"({by_name.uuid}): put its file back, or forget the old cell with "
                    f"'nova-cells-manage cell delete {name}'")
            if row is None:
                self.view.cells.create(tx, uuid, name, url, now)
            elif (row.name, row.transport_url) != (name, url):
                self.view.cells.update(tx, uuid, now, name=name, transport_url=url)

    def start(self) -> None:
        """The collector, listening on every cell's bus."""
        collector = collectors.Collector(
            self.view, self._ids, service_options.fill(collectors.Settings, self._conf.collector))
        self.runner = service.Runner("collector", collector, self.client, self._clock,
                                     forward_budget=self._conf.rpc.forward_budget)
        self.look()
        self.runner.start()
        self._watch.start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        self._leaving.set()
        listeners, self._listeners = list(self._listeners.values()), {}
        running = [self.runner.stop] if self.runner is not None else []
        ended = childcell.stop_all(
            [listener.stop for listener in listeners] + running, patience)
        if self.router is not None:
            self.router.close()
        return ended

    def close(self) -> None:
        """Let the database go."""
        if self.view is not None:
            self.view.close()

    def look(self) -> None:
        """Make the router and the listeners agree with the table of cells."""
        with self.view.read() as tx:
            rows = [(row.uuid, row.transport_url, row.name) for row in self.view.cells.all(tx)]
        if rows == self._known and self._listeners.keys() == {row[0] for row in rows}:
            return
        fresh: tuple[str, ...] = ()
        try:
            fresh = self.router.update(rows)
        except errors.Problem as problem:
            LOG.error("a cell cannot be reached: %s", problem)
        self._known = rows
        reachable = set(self.router.cells())
        for cell in [cell for cell in self._listeners if cell not in reachable or cell in fresh]:
            self._listeners.pop(cell).stop(1.0)
        for cell in reachable - self._listeners.keys():
            self._listen(cell)

    def _listen(self, cell: str) -> None:
        """The sender is this bus's cell, whatever a payload says."""
        listener = server.Listener(
            self.router.transport(cell), cell, "collector", self._conf.host,
            functools.partial(self.runner.deliver, sender=cell),
            threads=self._conf.rpc.collector_threads)
        try:
            transport.must_answer(self._conf, dict(self._urls())[cell])
            listener.start()
            self._listeners[cell] = listener
            self._silent.discard(cell)
        except errors.Problem as problem:
            if cell not in self._silent:     # it is tried again every few seconds
                self._silent.add(cell)
                LOG.warning("cell=%s: %s", cell, problem)

    def _urls(self) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in self._known]

    def _watching(self) -> None:
        while not self._leaving.wait(CELLS_EVERY):
            try:
                self.look()
            except Exception:
                LOG.exception("the table of cells could not be read")
