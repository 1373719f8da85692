# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A whole deployment in one process: the API cell, its child cells, the web server.

Order: databases, who each cell is, collector, conductors, agents, then the API; stopped the other
way round.  Everything that must survive is in the databases, so kill -9 at any moment is allowed.
"""

import time

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import apicell, cellbus, childcell, web, webapp
from nova_cells.conf import standalone as options
from nova_cells.domain import errors
from nova_cells.image import loader as images


class Deployment:
    """Made, started, stopped; once each."""

    def __init__(self, conf, without: tuple[str, ...] = (), clock=None, ids=None) -> None:
        self._conf = conf
        self._clock = clock or clocks.SystemClock()
        self._ids = ids or clocks.RandomIds()
        self._plans = options.plan(conf)
        names = [plan.name for plan in self._plans]
        for name in without:
            if name not in names:
                raise errors.Invalid(f"--without-cell {name}: there is no such cell; there are "
                                     f"{', '.join(names)}")
        self._without = without
        self.took = 0.0
        self._api: apicell.ApiCell | None = None
        self._web: web.WebServer | None = None
        self._metrics: metrics.Server | None = None
        self._cells: list[childcell.ChildCell] = []
        self._started: list[childcell.ChildCell] = []

    @property
    def cells(self) -> list[tuple[options.CellPlan, bool]]:
        """Each cell, and whether it runs."""
        return [(plan, plan.name not in self._without) for plan in self._plans]

    @property
    def port(self) -> int:
        """Where the API listens."""
        return self._web.port

    def start(self, listening) -> None:
        """Bring everything up; ``listening`` is a bound socket.  Problems are sentences."""
        begin = time.monotonic()
        room = images.load(self._conf)
        self._api = apicell.ApiCell(self._conf, self._clock, self._ids)
        self._api.open()
        self._cells = [childcell.ChildCell(self._conf, plan, room, self._clock, self._ids)
                       for plan in self._plans]
        for cell in self._cells:
            cell.open()
            self._api.register(cell.plan.name, cell.identity.uuid, cell.url)
        self._api.start()
        for cell in self._cells:
            if cell.plan.name not in self._without:
                self._started.append(cell)
                cell.start()
        application = webapp.load(self._conf, self._api.view, self._api.client, self._clock,
                                  self._ids, room)
        self._web = web.WebServer(application, listening, self._conf.standalone.threads)
        self._web.start()
        self._metrics = metrics.serve(self._conf, "standalone", {
            "view": metrics.answers(self._api.view.ping),
            **{f"cell {cell.plan.name}": metrics.answers(cell.store.ping)
               for cell in self._started}})
        self.took = time.monotonic() - begin

    def stop(self, patience: float) -> bool:
        """The other way round; whether all work under way ended in time."""
        end = time.monotonic() + patience
        if self._metrics is not None:
            self._metrics.stop()
        ended = self._web.stop(patience) if self._web else True

        def left() -> float:
            return max(0.5, end - time.monotonic())

        ended &= cellbus.stop_all([cell.stop for cell in self._started], left())
        if self._api is not None:
            ended &= self._api.stop(left())
        if ended:
            for owner in [*self._cells, *([self._api] if self._api else [])]:
                owner.close()
        return ended
